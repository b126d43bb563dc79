"""Seals of signed months: the chain of sign-offs, the keys under it, and whose keys they are."""

from auditlens.seals.chain import (
    FIX,
    FORMAT,
    Seal,
    SignOffChain,
    canonical,
    examine_sign_offs,
    parse_seal,
    read_sign_offs,
    seal_faults,
    seal_hash,
    signed_folder,
)
from auditlens.seals.keys import (
    ENDINGS,
    Ed25519Key,
    SshKey,
    check_signature,
    fingerprint,
    public_line,
    ssh_line,
)
from auditlens.seals.signers import (
    ListedKey,
    Signer,
    folded,
    name_and_address,
    read_allowed,
    signers_of,
)

__all__ = [
    "ENDINGS",
    "FIX",
    "FORMAT",
    "Ed25519Key",
    "ListedKey",
    "Seal",
    "SignOffChain",
    "Signer",
    "SshKey",
    "canonical",
    "check_signature",
    "examine_sign_offs",
    "fingerprint",
    "folded",
    "name_and_address",
    "parse_seal",
    "public_line",
    "read_allowed",
    "read_sign_offs",
    "seal_faults",
    "seal_hash",
    "signed_folder",
    "signers_of",
    "ssh_line",
]
