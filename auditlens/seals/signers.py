"""Whose key it is: the reviewers listed in the archive's log, or in a file of the verifier's own.

A signature shows that the holder of a key signed. Who that is stands in a list: the one sealed
into the archive's log, or an ``allowed_signers`` file (OpenSSH's format) that the verifier
keeps. Nothing that came with a report says whose key it is.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import translate
from pathlib import Path

from auditlens.errors import UsageError
from auditlens.files import read_text
from auditlens.seals.chain import Seal
from auditlens.seals.keys import NAMESPACE, fingerprint

LARGEST_LIST = 1 << 20
ADDRESS = re.compile(r"<([^<>]*)>")
KEY_TYPE = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+")
TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True)
class ListedKey:
    """One line of a list: who may sign with which key.

    Attributes:
        who: A name, ``Name <address>``, or patterns between commas.
        fingerprint: ``SHA256:…`` of the key.
        where: Where the line stands, in words.
        patterns: Whether ``who`` holds patterns, as a file of allowed signers does.
        after: Signatures before this time (UTC) do not count; None where the list sets no bound.
        before: Signatures from this time on (UTC) do not count; None where the list sets no bound.
        ended: Why the line does not count any more; empty while it does.
    """

    who: str
    fingerprint: str
    where: str
    patterns: bool = False
    after: datetime | None = None
    before: datetime | None = None
    ended: str = ""

    def names(self, reviewer: str) -> bool:
        """Whether the line is about this reviewer, however the name is written."""
        if not self.patterns:
            return same_person(reviewer, self.who)
        parts = [folded(one) for one in (reviewer, *name_and_address(reviewer)) if folded(one)]
        found = False
        for pattern in self.who.split(","):
            text = pattern.removeprefix("!")
            if any(re.fullmatch(translate(folded(text)), one) for one in parts):
                if pattern.startswith("!"):
                    return False
                found = True
        return found

    def fault(self, at: datetime) -> str:
        """Why the line does not count for a signature of this time; empty when it does."""
        if self.ended:
            return self.ended
        if self.after and at < self.after:
            return f"it counts from {self.after:%Y-%m-%d %H:%M} UTC on"
        if self.before and at >= self.before:
            return f"it counted until {self.before:%Y-%m-%d %H:%M} UTC"
        return ""


@dataclass(frozen=True)
class Signer:
    """What is known of one signature under a seal.

    Attributes:
        kind: ``ed25519`` or ``ssh``; empty for a sign-off without a key.
        fingerprint: ``SHA256:…`` of the key; empty without one.
        listed: Whether a list has the key for the reviewer the seal names.
        refuted: Whether a list contradicts the seal: no key of it is listed for the reviewer, who
            is listed with others, or whom the verifier's own list would have to name.
        text: All of that in a sentence.
    """

    kind: str
    fingerprint: str
    listed: bool
    refuted: bool
    text: str


def signers_of(
    seal: Seal, archive: Sequence[ListedKey] = (), allowed: Sequence[ListedKey] | None = None
) -> tuple[Signer, ...]:
    """Who signed, as far as lists of keys show it.

    Args:
        seal: The sign-off.
        archive: The list in the archive's log, as it stood for this sign-off.
        allowed: The verifier's own list; a key that is not in it refutes the signature. Default:
            the verifier has none.

    Returns:
        One entry a key of the seal, or one for a seal without a key.
    """
    at = datetime.fromisoformat(seal.data["signed_at"])
    name = seal.reviewer
    if not seal.keys:
        text = f"names {name}; no key: nothing shows that it was {name}"
        return (Signer("", "", False, allowed is not None, text),)
    lines = (*(allowed or ()), *archive)
    found = []
    for kind, public in seal.keys.items():
        digest = fingerprint(kind, public)
        own = [one for one in lines if one.fingerprint == digest]
        good = [one for one in own if one.names(name) and not one.fault(at)]
        trusted = good if allowed is None else [one for one in good if one in allowed]
        text = signature_sentence(name, digest, own, good, at)
        found.append(Signer(kind, digest, bool(trusted), refuted=False, text=text))
    known = allowed is not None or any(one.names(name) and not one.fault(at) for one in archive)
    if known and not any(one.listed for one in found):
        return tuple(replace(one, refuted=True) for one in found)
    return tuple(found)


def signature_sentence(
    name: str, digest: str, own: Sequence[ListedKey], good: Sequence[ListedKey], at: datetime
) -> str:
    """One signature in a sentence: never that it is a person's whose key is not listed."""
    if good:
        return f"signed by {name} with key {digest}, listed in {good[0].where}"
    start = f"names {name}; signed with key {digest}, which is"
    if not own:
        return f"{start} listed nowhere: nothing shows that it is {name}'s"
    line = own[0]
    if not line.names(name):
        return f"{start} listed for {line.who} in {line.where}, not for {name}"
    return f"{start} listed in {line.where}, but {line.fault(at)}"


def read_allowed(path: Path) -> tuple[ListedKey, ...]:
    """Read a file of allowed signers, as ``ssh-keygen -Y verify -f`` takes it.

    Args:
        path: The file.

    Returns:
        One entry a line with a key, in order.

    Raises:
        UsageError: There is no such file, or one of its lines is no entry.
        IntegrityError: It is no regular file, or too large.
    """
    try:
        text = read_text(path, most=LARGEST_LIST)
    except FileNotFoundError:
        fix = "Name the verifier's own allowed_signers file"
        raise UsageError(f"There is no file {path}", fix=fix) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text", fix="Write it as OpenSSH does") from None
    return tuple(listed_keys(text, path))


def listed_keys(text: str, path: Path) -> Iterator[ListedKey]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f"{path}:{number}"
        fault = UsageError(
            f"{place}: no line of allowed signers",
            fix="Write: name@example.org ssh-ed25519 AAAA…, as in 'man ssh-keygen'",
        )
        try:
            listed = parse_line(line, place)
        except (ValueError, binascii.Error):
            raise fault from None
        if listed is not None:
            yield listed


def parse_line(line: str, place: str) -> ListedKey | None:
    """One line; None for an authority of certificates and for other namespaces."""
    words = shlex.split(line, comments=False)
    kind = next(n for n, word in enumerate([*words, "ssh-none"]) if KEY_TYPE.fullmatch(word))
    if kind == 0 or kind + 1 >= len(words):
        raise ValueError
    options = dict(name_and_value(one) for word in words[1:kind] for one in split_options(word))
    blob = base64.b64decode(words[kind + 1], validate=True)
    if not blob or unknown_options(options):
        raise ValueError
    spaces = options.get("namespaces", "*").split(",")
    fits = any(re.fullmatch(translate(one), NAMESPACE) for one in spaces)
    if "cert-authority" in options or not fits:
        return None
    return ListedKey(
        who=words[0],
        fingerprint=fingerprint("ssh", f"{words[kind]} {words[kind + 1]}"),
        where=place,
        patterns=True,
        after=parse_time(options.get("valid-after")),
        before=parse_time(options.get("valid-before")),
    )


def unknown_options(options: dict[str, str]) -> set[str]:
    return options.keys() - {"cert-authority", "namespaces", "valid-after", "valid-before"}


def split_options(word: str) -> list[str]:
    """Options are joined by commas, and so are the namespaces within one."""
    return re.split(r",(?=cert-authority|namespaces=|valid-)", word, flags=re.IGNORECASE)


def name_and_value(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.lower(), value


def parse_time(text: str | None) -> datetime | None:
    """A time of the file: with Z in UTC, else, as OpenSSH reads it, in this machine's zone."""
    if text is None:
        return None
    digits = text.removesuffix("Z")
    if len(digits) not in TIMES:
        raise ValueError
    found = datetime.strptime(digits, TIMES[len(digits)])  # noqa: DTZ007
    return found.replace(tzinfo=UTC) if text.endswith("Z") else found.astimezone(UTC)


def same_person(written: str, listed: str) -> bool:
    """Whether two writings, ``Name <address>``, agree in all that both of them say."""
    pairs = list(zip(name_and_address(written), name_and_address(listed), strict=True))
    both = [(one, other) for one, other in pairs if one and other]
    return bool(both) and all(one == other for one, other in both)


def name_and_address(written: str) -> tuple[str, str]:
    """Name and address of a reviewer, folded.

    Args:
        written: ``Name <address>``, a name, or an address.

    Returns:
        Both as :func:`folded` gives them; empty what was not written.
    """
    found = ADDRESS.search(written)
    name, address = folded(ADDRESS.sub("", written)), folded(found[1]) if found else ""
    return ("", name) if "@" in name and not address else (name, address)


def folded(text: str) -> str:
    """A name as it is compared with others.

    Args:
        text: The name.

    Returns:
        It without case, marks of width (NFKC) and needless blanks.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
