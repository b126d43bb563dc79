"""Seals of signed months: the chain of sign-offs, the keys under it, and whose keys they are."""

from auditlens.seals.ledger import FOLDER, Ledger, examine_ledger, read_ledger
from auditlens.seals.seal import Seal, parse_seal
from auditlens.seals.signers import Listed, read_allowed, signers_of

__all__ = [
    "FOLDER",
    "Ledger",
    "Listed",
    "Seal",
    "examine_ledger",
    "parse_seal",
    "read_allowed",
    "read_ledger",
    "signers_of",
]
