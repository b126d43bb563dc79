"""Measuring the model in the open: planted incidents, switched identities, steady noise."""
