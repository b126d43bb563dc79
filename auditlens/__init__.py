"""AuditLens."""
