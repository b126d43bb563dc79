"""Seals of signed months: the chain of sign-offs, the keys under it, and whose keys they are."""

from auditlens.seals.ledger import FOLDER, Ledger, examine_ledger, read_ledger
from auditlens.seals.seal import Seal, parse_seal

__all__ = ["FOLDER", "Ledger", "Seal", "examine_ledger", "parse_seal", "read_ledger"]
