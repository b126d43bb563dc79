"""The archive: evidence of what the source sent, and the event table made from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from auditlens.archive.chain import LOG, Chain, read_chain
from auditlens.archive.covering import (
    cover,
    cover_problems,
    keep_covered,
    look_beside,
    refusal,
)
from auditlens.archive.manifest import ReviewerNote
from auditlens.archive.scan import Progress
from auditlens.archive.segment import EVIDENCE
from auditlens.archive.snapshots import (
    DIRECTORY,
    Sealed,
    parts_of,
    records_of_part,
    sealed_snapshots,
)
from auditlens.archive.status import (
    COLUMNS,
    ArchiveStatus,
    coverage_of,
    days_until_loss,
    quarantine,
    status_of,
)
from auditlens.archive.sync import Flag, SyncOutcome, Terms, pull
from auditlens.archive.table import ORDER, TABLE, Table, held_records, held_rows, lazy_rows, rebuild
from auditlens.archive.verification import Verification, verify
from auditlens.coverage import Coverage, Quarantined
from auditlens.directory import LISTINGS, DirectoryHistory
from auditlens.errors import IntegrityError, UsageError
from auditlens.events import EVENT_SCHEMA, load_classifier
from auditlens.files import lock, refuse_link
from auditlens.pages import DirectorySource, Listing, Source
from auditlens.period import Period
from auditlens.seals import ListedKey, fingerprint, signed_folder
from auditlens.text import cell_table

__all__ = ["Archive"]

LONGEST_NAME = 200


class Archive:
    """An archive folder. Making the object touches nothing on disk.

    Reading takes no lock and sees the last complete state; one sync at a time may write. Every
    method raises IntegrityError when sealed bytes changed, UsageError when the folder is no
    archive, is a symbolic link or was written by a newer AuditLens.

    Args:
        path: The archive's folder.
        signed: The folder of sign-offs that its head covers (default: ``signed`` beside it).
    """

    def __init__(self, path: Path | str, *, signed: Path | str | None = None) -> None:
        self.path = Path(path)
        self.signed = signed_folder(self.path.absolute()) if signed is None else Path(signed)

    @cached_property
    def table(self) -> Table:
        return Table(self.path / TABLE, load_classifier())

    @property
    def head(self) -> str | None:
        """Hash (hex) of the last manifest: it seals all before it. None for an empty archive."""
        chain = self.chain()
        return chain.head if chain.links else None

    def chain(self) -> Chain:
        self.must_exist()
        return read_chain(self.path)

    def must_exist(self) -> None:
        refuse_link(self.path)
        if not self.path.is_dir():
            raise UsageError(
                f"No archive found in {self.path}", fix="Create one with 'auditlens sync'"
            )
        for part in (LOG, EVIDENCE, DIRECTORY, TABLE):
            if (self.path / part).is_symlink():
                raise IntegrityError(
                    f"{self.path / part} is a symbolic link, which is not followed here",
                    fix="Put the folder itself in its place, from a copy",
                )

    def sync(
        self,
        source: Source,
        *,
        overlap: timedelta = timedelta(days=7),
        full_every: timedelta = timedelta(days=7),
        progress: Callable[[Progress], None] | None = None,
        stop: Flag | Callable[[], bool] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> SyncOutcome:
        """Pull what is new, seal it, and say whether the archive is complete.

        Reads newest first, back until a whole page is known and older than what was complete
        before, less ``overlap``.

        Args:
            source: The log.
            overlap: How far before the time that was complete the pages are read again; default: 7
                days.
            full_every: At least once in this time every page is read; default: 7 days.
            progress: Called after each page.
            stop: An event or a function, asked after each page.
            now: The clock, in UTC.

        Returns:
            What was done. An archive that is not complete is reported in ``outcome``, not raised.

        Raises:
            LockHeld: Another run is writing.
            UsageError: The archive belongs to another workspace.
            SourceError: The source failed; KeyRefused when it refused the key. What was read before
                is sealed, as incomplete.
            Interrupted: ``stop`` asked for it; what was read before is sealed, as incomplete.
        """
        refuse_link(self.path)
        terms = Terms(overlap, full_every, progress, stop, now)
        chain, note = pull(self.path, self.signed, source, self.table, terms)
        oldest = min((n.first_at for _, n in chain.segments if n.first_at), default=None)
        return SyncOutcome(
            outcome=note.outcome,
            missing=note.missing,
            new=note.new,
            seen=note.seen,
            changed=note.changed,
            late=note.late,
            quarantined=note.quarantined,
            pages=note.pages,
            oldest=note.reached,
            newest=note.anchor,
            days_until_loss=days_until_loss(chain, oldest, now()),
            head=chain.head,
            statement=note.statement,
        )

    def pull_directory(
        self,
        source: DirectorySource,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> tuple[Sealed | None, tuple[Listing, ...]]:
        """Pull users, groups, teams, tags and resources, and seal what came as one snapshot.

        Args:
            source: The listings.
            now: The clock, in UTC.

        Returns:
            The sealed snapshot (None when no listing came), and every listing, each with its
            records or its problem.

        Raises:
            LockHeld: Another run is writing.
            UsageError: The archive belongs to another workspace.
            Interrupted: The source was stopped; nothing is sealed.
        """
        refuse_link(self.path)
        at = now()
        listings = source.listings()
        return keep_covered(self.path, self.signed, source.name, listings, at), listings

    def directory(
        self,
        before: datetime | None = None,
        *,
        since: datetime | None = None,
        until: str | None = None,
    ) -> DirectoryHistory:
        """What is known of users, groups, teams, tags and resources, pull by pull.

        Args:
            before: Pulls from this moment on (UTC) are left out; default: none is.
            since: Pulls before the last one not later than this moment (UTC) are left out; default:
                none is. What the first pull kept lacks is taken from those.
            until: Pulls after the one with this seal (hex) are left out; default: none is.

        Returns:
            The history; it is false where nothing was pulled.

        Raises:
            IntegrityError: A byte changed, or no pull has the seal ``until``.
        """
        self.refuse_uncovered("directory")
        held = [
            one
            for one in sealed_snapshots(self.path, until)
            if before is None or one.snapshot.at < before
        ]
        early = [n for n, one in enumerate(held) if since and one.snapshot.at <= since]
        first = early[-1] if early else 0
        found = DirectoryHistory()
        for number, one in enumerate(held[first:], first):
            # The first pull read stands for those before it, so it takes what it lacks from them.
            notes = parts_of(held[: number + 1] if number == first else [one])
            listings = {
                name: records_of_part(self.path, notes[name]) if name in notes else None
                for name in LISTINGS
            }
            found = found.with_pull(one.snapshot.at, one.hash, listings)
        return found

    def unread(self) -> tuple[Quarantined, ...]:
        """Every record that could not be read.

        Returns:
            One entry a record, oldest pull first. Its bytes are kept in the evidence.
        """
        return quarantine(self.chain())

    def events(
        self, period: Period | None = None, columns: Iterable[str] = EVENT_SCHEMA
    ) -> pl.DataFrame:
        """Events on record, classified.

        Args:
            period: Its events alone, of those that belong to their date: dated from 1970 to a day
                after they were pulled. Default: all events, also the others.
            columns: Those wanted of EVENT_SCHEMA (default: all); no others are read from disk.

        Returns:
            One row an event, sorted by ``created_at``, ``id`` and ``leaf``: ``columns`` in the
            order of EVENT_SCHEMA, and those of the order.
        """
        self.must_exist()
        read = [name for name in EVENT_SCHEMA if name in {*columns, *ORDER}]
        _, rows = held_rows(self.path, self.table, period, read)
        return rows.sort(ORDER)

    def records(self, ids: Collection[str]) -> pl.DataFrame:
        """The records of events, byte for byte as they were pulled.

        Args:
            ids: Ids of events.

        Returns:
            One row a version of an event; an id that is not held has none. Columns: ``id``;
            ``file`` of the evidence and ``row`` in it, from 1; ``sha256`` (hex) of the bytes;
            ``record`` (Binary).

        Raises:
            IntegrityError: The evidence is damaged.
        """
        self.must_exist()
        return held_records(self.path, self.table, ids)

    def scan(self) -> pl.LazyFrame:
        """All events as a lazy scan of the table.

        Returns:
            The columns of EVENT_SCHEMA, unsorted, with the events that do not belong to their date.
        """
        self.must_exist()
        return lazy_rows(self.path, self.table).select(*EVENT_SCHEMA)

    def coverage(self, period: Period, acknowledged: Collection[str] = ()) -> Coverage:
        """What is held of a period, what is missing, and how that is known.

        Args:
            period: The period asked about.
            acknowledged: Ids (``U-…``) of records that could not be read and that a person looked
                at.

        Returns:
            The completeness statement; ``input_digest`` and the counts by basis are not filled
            here.
        """
        self.must_exist()
        chain, rows = held_rows(self.path, self.table, None, COLUMNS)
        return coverage_of(chain, rows, period, acknowledged)

    def status(self, now: datetime | None = None) -> ArchiveStatus:
        """What the archive holds, and how many days the next sync may wait.

        Args:
            now: The moment from which days are counted, in UTC; default: the clock.

        Returns:
            The status.
        """
        self.must_exist()
        chain, rows = held_rows(self.path, self.table, None, ["created_at", "segment"])
        return status_of(self.path, chain, rows, now or datetime.now(UTC))

    def refuse_uncovered(self, *parts: str) -> None:
        """Raise IntegrityError when ``parts`` (directory, signed) are not what the head covers."""
        chain = self.chain()
        found = look_beside(self.path, self.signed, chain)
        if wrong := refusal(self.path, [*cover_problems(chain, found, parts)]):
            raise wrong

    def cover(self, now: datetime) -> str:
        """Seal the heads of directory and sign-offs into the log; the lock must be held.

        Args:
            now: When, in UTC.

        Returns:
            The head (hex) that covers them.

        Raises:
            IntegrityError: They are not what the head before covers.
        """
        chain = self.chain()
        return cover(self.path, self.signed, now, chain.source or "").head

    def add_reviewer(self, name: str, key: str, now: datetime) -> tuple[str, str]:
        """List a reviewer's key, sealed into the log: who may sign with it.

        Args:
            name: A name, or ``Name <address>``.
            key: The public key as a line of an SSH file.
            now: When, in UTC.

        Returns:
            The name, and the key's fingerprint.

        Raises:
            UsageError: The key is listed already.
            LockHeld: Another run is writing.
        """
        name, digest = name.strip(), fingerprint("ssh", key)
        if not name or not name.isprintable() or len(name) > LONGEST_NAME:
            raise UsageError("A reviewer has a name on one line", fix="Write 'Name <address>'")
        with self.writing() as chain:
            for one in chain.reviewers:
                if one.fingerprint == digest and not one.removed:
                    raise UsageError(
                        f"The key {digest} is listed already, for {one.name}",
                        fix="Each reviewer has a key of one's own; 'auditlens reviewers remove'",
                    )
            note = ReviewerNote("add", name, " ".join(key.split()[:2]))
            cover(self.path, self.signed, now, chain.source or "", note)
        return name, digest

    def remove_reviewer(self, name: str, digest: str, now: datetime) -> list[tuple[str, str]]:
        """End the listing of a reviewer's keys; what was signed before stays signed.

        Args:
            name: The name as it was listed.
            digest: Fingerprint of the one key to remove; empty: all keys of the reviewer.
            now: When, in UTC.

        Returns:
            Name and fingerprint of each key that was removed.

        Raises:
            UsageError: No such key is listed.
            LockHeld: Another run is writing.
        """
        with self.writing() as chain:
            keys = {
                fingerprint("ssh", note.key): note.key
                for link in chain.links
                if (note := link.manifest.reviewer)
            }
            ended = [
                one
                for one in chain.reviewers
                if one.name == name.strip() and not one.removed and digest in ("", one.fingerprint)
            ]
            if not ended:
                raise UsageError(
                    f"No key of {name} is listed" + (f" with {digest}" if digest else ""),
                    fix="See 'auditlens reviewers list'",
                )
            for one in ended:
                note = ReviewerNote("remove", one.name, keys[one.fingerprint])
                cover(self.path, self.signed, now, chain.source or "", note)
        return [(one.name, one.fingerprint) for one in ended]

    @contextmanager
    def writing(self) -> Iterator[Chain]:
        """Hold the lock and yield the chain as it stands then."""
        self.must_exist()
        with lock(self.path):
            yield self.chain()

    def verify(
        self,
        against: str | Sequence[str] | None = None,
        *,
        allowed: Sequence[ListedKey] | None = None,
    ) -> Verification:
        """Check every byte of log, directory and sign-offs against what was sealed.

        Args:
            against: A head noted earlier, e.g. in a report, or several: nothing it covers may be
                changed or missing. Default: none.
            allowed: Signers of the verifier's own, from ``auditlens.seals.read_allowed``; default:
                the archive's own list of reviewers.

        Returns:
            What was found; damage is in ``problems``, not raised.
        """
        self.must_exist()
        heads = (against,) if isinstance(against, str) else tuple(against or ())
        return verify(self.path, self.signed, heads, allowed)

    def rebuild(self) -> None:
        """Make the event table anew from the evidence.

        Raises:
            LockHeld: Another run is writing.
        """
        self.must_exist()
        rebuild(self.path, self.table)

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r})"

    def _repr_html_(self) -> str:
        title = f"Archive {self.path}"
        if not self.path.is_dir():
            return cell_table(title, [("events", "nothing pulled yet")])
        status = self.status()
        rows = [
            ("source", status.source),
            ("completeness", status.statement),
            ("events", status.events),
            ("first event", status.first_at),
            ("last event", status.last_at),
            ("complete until", status.complete_until),
            ("gaps", len(status.gaps)),
            ("records not read", status.quarantined),
            ("pulls", status.pulls),
            ("last pull", status.last_pull_at),
            ("days until events are lost", status.days_until_loss),
            ("head", status.head),
        ]
        return cell_table(title, rows)
