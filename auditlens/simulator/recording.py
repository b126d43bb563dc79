"""Audit logs from a file or a list, served as if they were a workspace."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auditlens.errors import UsageError
from auditlens.simulator.records import to_current
from auditlens.simulator.roster import Directory
from auditlens.simulator.workspace import GENERATIONS, Workspace

__all__ = ["Recording", "Servable", "servable"]


@dataclass(frozen=True)
class Recording:
    """Legacy records, oldest first; it has no directory."""

    legacy: tuple[bytes, ...]
    directory: Directory | None = None

    @property
    def size(self) -> int:
        """How many records there are."""
        return len(self.legacy)

    def records(self, generation: str = "legacy") -> list[bytes]:
        """The records as they are, or said in the current generation."""
        if generation not in GENERATIONS:
            raise UsageError(f"No generation is called {generation!r}", fix="Use legacy or current")
        return list(self.legacy) if generation == "legacy" else to_current(self.legacy)


Servable = Workspace | Recording


def servable(source: Workspace | Recording | Path | str | Sequence[bytes]) -> Servable:
    """What the server can serve: a workspace, legacy records, or an NDJSON file of them.

    A file may end in .gz or .zst. Raises UsageError when it cannot be read.
    """
    if isinstance(source, Workspace | Recording):
        return source
    if isinstance(source, Path | str):
        return Recording(tuple(read_lines(Path(source))))
    return Recording(tuple(source))


def read_lines(path: Path) -> list[bytes]:
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        elif path.suffix == ".zst":
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(raw) as stream:
                raw = stream.read()
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}: {error.strerror or error}",
            fix="Name an NDJSON file of legacy records",
        ) from None
    return [line for line in raw.split(b"\n") if line.strip()]
