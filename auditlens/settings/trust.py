"""What a settings file of the working folder may not decide until its user has trusted it.

A folder that was cloned, unpacked or shared brings its settings along. Those that say where a
secret goes, or what is run, count only from the user's own file, the environment or flags, or
when the user has trusted the very bytes of the file. The list of trusted files stands in the
user's own folder of settings, which no settings file can name.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from auditlens.canonical import json_document
from auditlens.errors import IntegrityError, UsageError
from auditlens.files import lock, open_regular, put, writing

__all__ = [
    "GUARDED",
    "TRUST_VARIABLE",
    "TrustedFile",
    "UntrustedError",
    "Withheld",
    "forget_file",
    "given_hashes",
    "is_own",
    "own_file",
    "require_trusted",
    "settled",
    "trust_command",
    "trust_file",
    "trusted_files",
    "withheld_told",
]

GUARDED: Mapping[str, str] = {
    "api_url": "the key is sent there",
    "key_file": "what stands in the file is sent as the key",
    "key_command": "the program is run, and what it prints is sent as the key",
    "heartbeat": "the address is asked, and is often a secret itself",
    "heartbeat_start": "as heartbeat",
    "heartbeat_fail": "as heartbeat",
    "allowed_signers": "whose signature counts as whose",
    "notify": "servers and addresses that messages go to, and the variables with their secrets",
}
"""Settings that move a secret, tell somebody, run a program or vouch; each with what it does."""

FILE_NAME = "auditlens.toml"
STORE = "trusted.json"
FORMAT = "auditlens.trusted/1"
MAX_BYTES = 1 << 20
TRUST_VARIABLE = "AUDITLENS_TRUST"
HASH = re.compile(r"[0-9a-f]{64}")


class UntrustedError(UsageError):
    """A settings file decides where a secret goes, and its user has not trusted it.

    Attributes:
        fix: The command that trusts the file as it is now.
    """

    code = "AL-204"


@dataclass(frozen=True)
class Withheld:
    """A guarded setting that does not count.

    Attributes:
        path: The file that holds it.
        place: File and line.
        sha256: SHA-256 (hex) of the file's bytes.
        trusted_at: When the user trusted other bytes of the same file; None for never.
    """

    path: Path
    place: str
    sha256: str
    trusted_at: datetime | None = None


@dataclass(frozen=True)
class TrustedFile:
    """A file the user has trusted, by the SHA-256 (hex) of its bytes, and when (UTC)."""

    path: Path
    sha256: str
    trusted_at: datetime


def own_folder(environ: Mapping[str, str]) -> Path | None:
    """The user's own folder of settings; None where the user has no home.

    A relative path in a variable would lie in the working folder, so it does not count.
    """
    bases = [environ.get("APPDATA")] if os.name == "nt" else []
    for base in (*bases, environ.get("XDG_CONFIG_HOME")):
        if base and Path(base).is_absolute():
            return Path(base) / "auditlens"
    try:
        return Path.home() / ".config" / "auditlens"
    except RuntimeError:
        return None


def own_file(environ: Mapping[str, str]) -> Path | None:
    """Where the user's own settings file is, whether it exists or not."""
    folder = own_folder(environ)
    return folder / FILE_NAME if folder else None


def is_own(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether a settings file is the user's own: in its folder, no link, nobody else's.

    Args:
        path: The file.
        environ: The environment; it says where the user's folder of settings is.

    Returns:
        False also where the user has no such folder.
    """
    own = own_file(environ)
    if own is None:
        return False
    try:
        if not path.samefile(own) or own.is_symlink() or own.parent.is_symlink():
            return False
        return not foreign(own.stat())
    except OSError:
        return False


def foreign(found: os.stat_result) -> bool:
    """Whether somebody else owns a file or may write it; root may do so anyway."""
    if os.name == "nt":
        return False
    return found.st_uid not in (os.getuid(), 0) or bool(found.st_mode & stat.S_IWOTH)


def trusted_files(environ: Mapping[str, str]) -> dict[Path, TrustedFile]:
    """Every file the user has trusted.

    Args:
        environ: The environment; it says where the user's folder of settings is.

    Returns:
        One entry a file, by path; empty without a list.

    Raises:
        UsageError: A list that cannot be read, is not one, or that others may write.
    """
    folder = own_folder(environ)
    if folder is None:
        return {}
    path = folder / STORE
    try:
        with os.fdopen(open_regular(path), "rb") as stream:
            if foreign(os.fstat(stream.fileno())):
                raise UsageError(
                    f"{path} belongs to somebody else, or others may write it",
                    fix="Remove it, and trust your files again",
                )
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except IntegrityError as error:
        raise UsageError(error.message, fix="Remove it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})", fix="Remove it") from None
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError
        held = json.loads(raw)
        if held["format"] != FORMAT:
            raise ValueError
        files = [
            TrustedFile(
                Path(str(name)), hash_of(one["sha256"]), datetime.fromisoformat(one["trusted_at"])
            )
            for name, one in held["files"].items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"{path} is not a list of trusted files", fix="Remove it, and trust your files again"
        ) from None
    return {one.path: one for one in files}


def hash_of(text: object) -> str:
    if not isinstance(text, str) or not HASH.fullmatch(text):
        raise ValueError
    return text


def given_hashes(environ: Mapping[str, str], more: Iterable[str] = ()) -> frozenset[str]:
    """The hashes that ``AUDITLENS_TRUST`` and the flag name. Raises UsageError for other text."""
    texts = [*environ.get(TRUST_VARIABLE, "").replace(",", " ").split(), *more]
    for text in texts:
        if not HASH.fullmatch(text.lower()):
            raise UsageError(
                f"{TRUST_VARIABLE} or --trust holds what is not a SHA-256",
                fix="Write the 64 digits that 'auditlens config trust' prints",
            )
    return frozenset(text.lower() for text in texts)


def trust_file(path: Path, sha256: str, environ: Mapping[str, str]) -> TrustedFile:
    """Add a file to the list of trusted files, or its new bytes in place of the former.

    Args:
        path: The file.
        sha256: SHA-256 (hex) of its bytes.
        environ: The environment; it says where the user's folder of settings is.

    Returns:
        The entry, with the present time (UTC, whole seconds).

    Raises:
        UsageError: The list cannot be read or written.
        LockHeld: Another run is writing it.
    """
    made = TrustedFile(settled(path), sha256, datetime.now(UTC).replace(microsecond=0))
    change(environ, lambda files: files | {made.path: made})
    return made


def forget_file(path: Path, environ: Mapping[str, str]) -> bool:
    """Take a file out of the list of trusted files.

    Args:
        path: The file.
        environ: The environment; it says where the user's folder of settings is.

    Returns:
        Whether it was in the list.

    Raises:
        UsageError: The list cannot be read or written.
        LockHeld: Another run is writing it.
    """
    place = settled(path)
    if place not in trusted_files(environ):
        return False
    change(environ, lambda files: {name: one for name, one in files.items() if name != place})
    return True


def settled(path: Path) -> Path:
    """A file's absolute path, links of its folder followed; of two names for it, one counts."""
    return path.parent.resolve() / path.name


Files = dict[Path, TrustedFile]


def change(environ: Mapping[str, str], made: Callable[[Files], Files]) -> None:
    folder = own_folder(environ)
    if folder is None:
        raise UsageError(
            "This user has no folder of settings", fix="Set XDG_CONFIG_HOME, or AUDITLENS_TRUST"
        )
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock(folder):
        files = made(trusted_files(environ))
        listed = {
            str(one.path): {"sha256": one.sha256, "trusted_at": one.trusted_at.isoformat()}
            for one in files.values()
        }
        put(folder / STORE, json_document({"format": FORMAT, "files": listed}))


def trust_command(path: Path) -> str:
    """The exact command that trusts a file."""
    place = str(settled(path))
    quoted = f'"{place}"' if os.name == "nt" else shlex.quote(place)
    return f"auditlens config trust {quoted}"


def withheld_told(withheld: Mapping[str, Withheld]) -> list[str]:
    """Which settings do not count, for a person to read.

    Args:
        withheld: The settings that do not count, by name.

    Returns:
        For each file that is not trusted one sentence, with the command that trusts it.
    """
    return [
        f"{path} {told_why(held)}: {told_places(held)} does not count until you run: "
        f"{trust_command(path)}"
        for path, held in by_file(withheld).items()
    ]


def require_trusted(withheld: Mapping[str, Withheld], names: Collection[str] = GUARDED) -> None:
    """Refuse to go on when a setting that is needed stands in a file that is not trusted.

    Args:
        withheld: The settings that do not count, by name.
        names: Those that the command would use.

    Raises:
        UntrustedError: It names the settings, their places, and the command that trusts the file.
    """
    needed = {name: one for name, one in withheld.items() if name in names}
    for path, held in by_file(needed).items():
        raise UntrustedError(
            f"{path} {told_why(held)}, and says where a secret goes or what is run: "
            f"{told_places(held)}",
            fix=f"Read it, then run: {trust_command(path)}",
        )


def by_file(withheld: Mapping[str, Withheld]) -> dict[Path, dict[str, Withheld]]:
    found: dict[Path, dict[str, Withheld]] = {}
    for name, one in sorted(withheld.items()):
        found.setdefault(one.path, {})[name] = one
    return found


def told_places(held: Mapping[str, Withheld]) -> str:
    lines = {name: one.place.removeprefix(f"{one.path}:") for name, one in held.items()}
    return ", ".join(
        f"{name} (line {line})" if line.isdigit() else name for name, line in lines.items()
    )


def told_why(held: Mapping[str, Withheld]) -> str:
    since = next(iter(held.values())).trusted_at
    if since is None:
        return "is not trusted"
    return f"changed since you trusted it on {since:%Y-%m-%d %H:%M} UTC"
