"""The outbox: what must still be sent, one file a report, target and id, whole or absent.

``waiting/2026-10.team.N-….json`` is a message that no receiver has taken yet, the file of the
same name in ``sent/`` the receipt of one that was. The receipt is on the disk before the message
is removed, so a kill between sending and recording sends it again, with the same id, and never
loses it. No file holds a secret: addresses, keys and tokens are read from the environment when a
message is sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from auditlens.canonical import json_document, json_line, sha256_hex
from auditlens.errors import IntegrityError
from auditlens.files import lock, make_folder, names, put, read, remove, sweep

FORMAT = "auditlens.message/1"
RECEIPT = "auditlens.receipt/1"


def idempotency_id(report: str, target: str, content: Mapping[str, Any]) -> str:
    """The id of a message: the same for the same thing to the same target.

    Args:
        report: What the message is about.
        target: Name of the receiver.
        content: The notice of a report, or the key of the notice of a case.

    Returns:
        ``N-`` and 26 characters (base32) of a SHA-256.
    """
    digest = bytes.fromhex(sha256_hex(json_line([report, target, content], ascii_only=False)))
    return f"N-{base64.b32encode(digest).decode()[:26]}"


@dataclass(frozen=True)
class Waiting:
    """One message to one target; times are in UTC.

    Attributes:
        id: As :func:`idempotency_id` gives it; a receiver recognises a second delivery by it.
        report: What it is about: the name of a report, of a case's message or of a digest.
        target: Name of the receiver in the settings.
        content: The notice, as plain data without a secret.
        queued_at: When it was queued.
        tries: Runs that tried to send it and failed.
        not_before: When the next try may be; None for at once.
        problem: Why the last try failed.
        key: What the id rests on where that is not ``content``.
    """

    id: str
    report: str
    target: str
    content: Mapping[str, Any]
    queued_at: datetime
    tries: int = 0
    not_before: datetime | None = None
    problem: str = ""
    key: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.about}.{self.id}.json"

    @property
    def about(self) -> str:
        """Report and target, which share one message at a time."""
        return f"{self.report}.{self.target}"

    def bytes(self) -> bytes:
        """The message as it stands in its file."""
        held = asdict(self)
        if not self.key:
            del held["key"]
        return message_bytes({"format": FORMAT, **held})


@dataclass(frozen=True)
class Outbox:
    """The folder of messages and receipts.

    Attributes:
        folder: Its path; ``waiting`` in it holds messages, ``sent`` the receipts of delivered ones.
    """

    folder: Path

    @property
    def waiting_folder(self) -> Path:
        return self.folder / "waiting"

    @property
    def sent_folder(self) -> Path:
        return self.folder / "sent"

    def prepare(self) -> None:
        """Make the folders; nobody else may read them."""
        for folder in (self.folder, self.waiting_folder, self.sent_folder):
            make_folder(folder)

    def lock(self) -> AbstractContextManager[None]:
        """Hold the outbox, so that one run at a time sends.

        Returns:
            A context that holds the lock.

        Raises:
            LockHeld: On entering it: another run sends.
        """
        self.prepare()
        return lock(self.folder)

    def tidy(self) -> None:
        """Remove what killed runs left half-written. Only the holder of the lock may."""
        for folder in (self.waiting_folder, self.sent_folder):
            sweep(folder)

    def add(
        self,
        report: str,
        target: str,
        content: Mapping[str, Any],
        now: datetime,
        key: Mapping[str, Any] | None = None,
    ) -> bool:
        """Queue a message unless the very same one waits or was delivered.

        Another message of the same report and target that is not delivered yet is replaced.

        Args:
            report: What it is about, as a file's name can hold it: ``2026-10``, ``C-….1``.
            target: Name of the receiver in the settings.
            content: The notice, as plain data.
            now: When, in UTC.
            key: What the id rests on in place of ``content``: what is told of a case may grow
                between two tries. Default: ``content``.

        Returns:
            Whether it was queued.
        """
        self.prepare()
        name = idempotency_id(report, target, key or content)
        made = Waiting(name, report, target, content, now, key=key or {})
        held = [name for name in names(self.waiting_folder) if name.startswith(f"{made.about}.")]
        if self.taken(made) or made.name in held:
            return False
        put(self.waiting_folder / made.name, made.bytes())
        for name in held:
            remove(self.waiting_folder / name)
        return True

    def waiting(self) -> list[Waiting]:
        """Messages that are not delivered yet.

        Returns:
            One entry a message, by the name of its file.

        Raises:
            IntegrityError: A file is no message, or was edited.
        """
        found = [
            read_message(self.waiting_folder / name)
            for name in names(self.waiting_folder)
            if name.endswith(".json")
        ]
        return [one for one in found if not self.taken(one)]

    def taken(self, message: Waiting) -> bool:
        """Whether there is a receipt for this very message."""
        return (self.sent_folder / message.name).is_file()

    def postpone(self, message: Waiting, problem: str, not_before: datetime) -> None:
        """Note a failed try and when the next may be."""
        later = replace(message, tries=message.tries + 1, problem=problem, not_before=not_before)
        put(self.waiting_folder / message.name, later.bytes())

    def record(self, message: Waiting, now: datetime) -> None:
        """Note that the message was taken, then take it out."""
        receipt = {"format": RECEIPT, "id": message.id, "sent_at": now, "tries": message.tries + 1}
        put(self.sent_folder / message.name, message_bytes(receipt))
        remove(self.waiting_folder / message.name)

    def clear(self) -> None:
        """Take out messages whose receipts a killed run had written already."""
        sent = set(names(self.sent_folder))
        for name in names(self.waiting_folder):
            if name in sent:
                remove(self.waiting_folder / name)


def message_bytes(data: Mapping[str, Any]) -> bytes:
    return json_document(data, default=iso_text)


def iso_text(moment: datetime) -> str:
    return moment.isoformat()


def read_message(path: Path) -> Waiting:
    """Read one message. Raises IntegrityError when it is not as it was written."""
    try:
        raw = read(path)
        message = msgspec.convert(json.loads(raw), Waiting)
        named = idempotency_id(message.report, message.target, message.key or message.content)
        if message.bytes() != raw or message.id != named:
            raise ValueError
    except (ValueError, RecursionError, msgspec.ValidationError):
        raise IntegrityError(
            f"{path} is not a message of ours, or was edited",
            fix="Move it away; the report it tells of is not changed by that",
        ) from None
    return message
