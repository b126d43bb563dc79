"""Settings read: flags over environment over the nearest file over the user's file.

Files are ``auditlens.toml``, or ``[tool.auditlens]`` in ``pyproject.toml``. What moves a secret
does not count from the nearest file unless its user has trusted it. The key is not a setting, and
no file of ours holds it: ``find_key`` finds it where these say.

TOML may be of any size and form, and the reader of the standard library has no limits: nesting ends
in a RecursionError, a long number in a ValueError, and a name of many parts takes time that grows
with the square of their number. So the text is looked through first, and every fault has its place.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from auditlens.canonical import sha256_hex
from auditlens.errors import AuditLensError, DocumentError, UsageError
from auditlens.files import read
from auditlens.settings.schema import (
    DEFAULTS,
    MAX_DIGITS,
    NAME,
    NAMES,
    OTHER_VARIABLES,
    PATHS,
    TABLES,
    Settings,
    Target,
    brief,
    brief_text,
    checked,
    from_text,
    read_targets,
    suggestion,
)
from auditlens.settings.trust import (
    GUARDED,
    Withheld,
    given_hashes,
    is_own,
    own_file,
    settled,
    trusted_files,
)

__all__ = ["FILE_NAME", "SettingsFile", "find_file", "has_table", "load_settings"]

MAX_BYTES = 1 << 20
"""Bytes a settings file may have; a larger one is no settings file."""
MAX_DEPTH = 64
"""Brackets that may stand open, and parts that a name may have."""

PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
LONG_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:0x[\da-fA-F_]{18,}|0[bo][0-7_]{64,}|[\d_]{19,})")
TOKEN = re.compile(
    # A name of many parts comes first: its parts may be quoted, which looks like text.
    r"(?P<name>(?<![\w.\"'-])(?:(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"
    f"{{{MAX_DEPTH}}})|"
    r'"""(?:[^"\\]|\\.|"(?!""))*+"""|'
    r"'''(?:[^']|'(?!''))*+'''|"
    r'"(?:[^"\\\n]|\\.)*+"|'
    r"'[^'\n]*+'|"
    r"#[^\n]*+|"
    r"[\[\]{}]",
    re.DOTALL,
)

FILE_NAME = "auditlens.toml"
PROJECT = "pyproject.toml"
TABLE = "tool.auditlens"
PREFIX = "AUDITLENS_"
ALIKE = 0.75
"""How much a name resembles one of ours (0 to 1), from which it is taken for a typing error."""


def load_settings(
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    trust: Iterable[str] = (),
) -> Settings:
    """Read the settings that hold in a folder.

    A guarded setting (``trust.GUARDED``) of a file that is neither the user's own nor trusted keeps
    its default and is listed in ``withheld``.

    Args:
        start: The folder; default: the working folder.
        environ: The environment; default: that of the process.
        trust: SHA-256 (hex) of files that count as trusted, beside those of ``AUDITLENS_TRUST`` and
            of the user's list.

    Returns:
        Every setting. A variable of the environment overrides the nearest file, which overrides the
        user's own file.

    Raises:
        DocumentError: A fault in a file.
        UsageError: A fault in the environment, or in the list of trusted files.
    """
    environ = os.environ if environ is None else environ
    hashes = given_hashes(environ, trust)
    nearest = find_file((start or Path.cwd()).resolve())
    own = own_file(environ)
    found = Found()
    if nearest and nearest.name == FILE_NAME and has_table(nearest.parent):
        found.unknown.append(f"{nearest.with_name(PROJECT)} sets nothing: {FILE_NAME} is beside it")
    for path in (own, nearest):
        if path and (path == nearest or path.is_file()):
            found.add_file(SettingsFile(path), environ, hashes)
    found.add_environment(environ)
    return Settings(
        **found.values,
        path=nearest,
        origins=found.origins,
        withheld=found.withheld,
        unknown=tuple(found.unknown),
    )


@dataclass
class Found:
    """What was read so far, the later above the earlier."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, Withheld] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any, origin: str) -> None:
        """Take a value that counts."""
        self.values[name], self.origins[name] = value, origin
        self.withheld.pop(name, None)

    def add_file(
        self, file: SettingsFile, environ: Mapping[str, str], hashes: Collection[str]
    ) -> None:
        """Take a file's values; a guarded one of a file that is not trusted keeps its default."""
        values = file.values()
        guarded = values.keys() & GUARDED.keys()
        why = kept_back(file, environ, hashes) if guarded else None
        for name, value in values.items():
            place = file.origin_of(name)
            if why is not None and name in guarded:
                self.add(name, DEFAULTS[name], f"{place} (not trusted)")
                self.withheld[name] = replace(why, place=place)
            else:
                self.add(name, value, place)

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """Take the variables of settings. Raises UsageError for a name that was mistyped.

        A variable that resembles no setting may be somebody else's, and is only told.
        """
        targets: Mapping[str, Target] = self.values.get("notify", {})
        secrets = {
            value
            for target in targets.values()
            for key, value in target.options.items()
            if key.endswith("_env")
        }
        for variable, text in sorted(environ.items()):
            if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES | secrets:
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name in TABLES:
                raise UsageError(f"{variable}: only a file can hold '{name}'", fix="Unset it")
            if name in NAMES:
                value = checked(name, from_text(name, text), variable_fault(variable))
                self.add(name, value, variable)
                continue
            others = (one.removeprefix(PREFIX).lower() for one in sorted(OTHER_VARIABLES))
            if near := difflib.get_close_matches(name, [*NAMES, *others], n=1, cutoff=ALIKE):
                fix = f"Did you mean {PREFIX}{near[0].upper()}? Otherwise unset it"
                raise UsageError(f"Unknown setting {variable}", fix=fix)
            self.unknown.append(f"Unknown setting {variable}. {suggestion(name)}")
        if url := environ.get("SECODA_API_URL"):
            self.add("api_url", url, "SECODA_API_URL")


def kept_back(
    file: SettingsFile, environ: Mapping[str, str], hashes: Collection[str]
) -> Withheld | None:
    """Why the guarded settings of a file do not count; None when they do."""
    if file.sha256 in hashes or is_own(file.path, environ):
        return None
    known = trusted_files(environ).get(settled(file.path))
    if known is not None and known.sha256 == file.sha256:
        return None
    return Withheld(file.path, "", file.sha256, known.trusted_at if known else None)


def variable_fault(variable: str) -> Any:
    """Makes the error for the value of a variable, with its name."""
    return lambda message: UsageError(f"{variable}: {message}", fix="Change or unset it")


def find_file(start: Path) -> Path | None:
    """Find the settings file that counts in a folder.

    In one folder ``auditlens.toml`` stands above ``pyproject.toml``, which counts only when it
    has a table ``[tool.auditlens]``.

    Args:
        start: An absolute path of the folder.

    Returns:
        The nearest one in the folder or above it; None when there is none.
    """
    for folder in (start, *start.parents):
        # What stands there but is no readable file is told when it is read.
        if os.path.lexists(path := folder / FILE_NAME):
            return path
        if has_table(folder):
            return folder / PROJECT
    return None


def has_table(folder: Path) -> bool:
    """Whether the ``pyproject.toml`` of a folder holds settings of AuditLens.

    Args:
        folder: The folder; without such a file it holds none.

    Returns:
        True also for a file that is no TOML and names ``[tool.auditlens]``: its fault is raised
        when it is read.
    """
    path = folder / PROJECT
    try:
        raw = read(path, most=MAX_BYTES, follow=True)
        if b"auditlens" not in raw:
            return False
        tool = parse_toml(raw, path).get("tool")
        return isinstance(tool, dict) and "auditlens" in tool
    except DocumentError:
        # One that says it is ours is read all the same, so that its fault is told.
        return f"[{TABLE}".encode() in raw
    except (OSError, AuditLensError):
        return False


@dataclass(frozen=True)
class SettingsFile:
    """One file with settings; what is read from it knows the line it stands in.

    Attributes:
        path: An ``auditlens.toml``, whose settings stand at its top, or a ``pyproject.toml``, whose
            settings stand in ``[tool.auditlens]``.
    """

    path: Path

    @property
    def table(self) -> str:
        """The table that holds the settings; empty for the top of the file."""
        return TABLE if self.path.name == PROJECT else ""

    @cached_property
    def raw(self) -> bytes:
        """The bytes of the file, read once. Raises DocumentError when it is no regular file."""
        try:
            return read(self.path, most=MAX_BYTES, follow=True)
        except OSError as error:
            raise DocumentError(f"cannot be read ({error.strerror})", path=self.path) from None
        except AuditLensError as error:
            reason = error.message.removeprefix(f"{self.path} ")
            raise DocumentError(reason, path=self.path, fix=error.fix) from None

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of its bytes: what trust in it rests on."""
        return sha256_hex(self.raw)

    def parsed(self) -> Mapping[str, Any]:
        """The settings as TOML has them, unchecked.

        Returns:
            Values by name.

        Raises:
            DocumentError: The file is no TOML, or its settings are no table.
        """
        held: Any = parse_toml(self.raw, self.path)
        for name in self.table.split(".") if self.table else ():
            held = held.get(name) if isinstance(held, dict) else None
        if not isinstance(held, dict):
            raise DocumentError(f"[{TABLE}] must be a table", path=self.path)
        return held

    def values(self) -> dict[str, Any]:
        """Every setting of the file, checked.

        Returns:
            Values by name, each of the type of the field of ``Settings``; paths are relative to the
            file.

        Raises:
            DocumentError: A setting is unknown or of another type, with its line.
        """
        found: dict[str, Any] = {}
        data = self.parsed()
        for name in data:
            if name not in NAMES:
                raise self.fault(name, f"Unknown setting {brief(name)}", fix=suggestion(name))
        for name, value in data.items():
            if name == "notify":
                found[name] = read_targets(value, self.target_fault)
                continue
            found[name] = checked(name, value, lambda m, n=name: self.fault(n, m))  # type: ignore[misc]
            if name in PATHS:
                found[name] = self.path.parent / found[name]
        return found

    def fault(self, name: str, message: str, *, fix: str = "") -> DocumentError:
        """The error for one setting, with the line it stands in."""
        return DocumentError(message, path=self.path, line=self.line_of(name), fix=fix)

    @cached_property
    def lines(self) -> list[str]:
        return self.raw.decode("utf-8", "replace").split("\n")

    def line_of(self, name: str) -> int:
        """Line in which a setting stands; 0 when it cannot be told."""
        inside = not self.table
        above = f"{self.table}." if self.table else ""
        for number, line in enumerate(self.lines, 1):
            bare = line.split("#")[0].strip()
            if bare.startswith("["):
                head = bare.strip("[] ").replace(" ", "")
                inside = head == self.table
                if f"{head}.".startswith(f"{above}{name}."):
                    return number
            elif inside and bare.partition("=")[0].strip(" \"'").partition(".")[0] == name:
                return number
        return 0

    def origin_of(self, name: str) -> str:
        """File and line of a setting, as ``config show --origin`` tells it."""
        line = self.line_of(name)
        return f"{self.path}:{line}" if line else str(self.path)

    def target_fault(self, target: str, key: str, message: str) -> DocumentError:
        """The error for one key of one table ``[notify.NAME]``, with the line it stands in."""
        lines = [line.split("#")[0].strip() for line in self.lines]
        above = f"{self.table}." if self.table else ""
        heads = (f'[{above}notify.{target}]', f'[{above}notify."{target}"]', f"[{above}notify]",
                 "notify")  # fmt: skip
        head = next((n for n, line in enumerate(lines, 1) if line.startswith(heads)), 0)
        below = range(head, len(lines))
        end = next((n for n in below if lines[n].startswith("[")), len(lines))
        found = [n + 1 for n in range(head, end) if lines[n].split("=")[0].strip(" \"'") == key]
        where = f"[{above}notify.{target}]: " if NAME.fullmatch(target) else ""
        return DocumentError(
            f"{where}{message}",
            path=self.path,
            line=found[0] if key and found else head,
            fix="docs/notifications.md has a table for each kind",
        )


def parse_toml(raw: bytes, path: Path) -> dict[str, Any]:
    """Parse a TOML file. Raises DocumentError, with its line, for whatever it cannot take.

    Args:
        raw: The bytes of the file.
        path: Where it is; for messages only.
    """
    text = text_of(raw, path)
    depth = 0
    for found in TOKEN.finditer(text):
        if found["name"]:
            raise fault_at(path, text, found.start(), f"has a name of more than {MAX_DEPTH} parts")
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise fault_at(path, text, found.start(), f"is nested deeper than {MAX_DEPTH} levels")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise no_toml(path, text, str(error)) from None
    except ValueError:  # a number of thousands of digits
        number = LONG_NUMBER.search(text)
        place = number.start() if number else 0
        raise fault_at(
            path, text, place, f"has a number of more than {MAX_DIGITS} digits"
        ) from None
    except RecursionError:  # brackets that the look above did not see
        raise fault_at(path, text, 0, f"is nested deeper than {MAX_DEPTH} levels") from None


def text_of(raw: bytes, path: Path) -> str:
    """The text of a file. Raises DocumentError for bytes that are none."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError("is UTF-16", path=path, line=1, fix="Save it as UTF-8")
    if raw.startswith(b"\xef\xbb\xbf"):
        fix = "Save it as UTF-8 without one"
        raise DocumentError("begins with a byte order mark", path=path, line=1, column=1, fix=fix)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fix = "Save it as UTF-8"
        raise DocumentError("is not UTF-8 text", path=path, line=line, fix=fix) from None
    if (place := text.find("\0")) >= 0:
        raise fault_at(path, text, place, "holds a NUL character")
    return text


def fault_at(path: Path, text: str, place: int, message: str) -> DocumentError:
    line = text.count("\n", 0, place) + 1
    column = place - (text.rfind("\n", 0, place) + 1) + 1
    return DocumentError(message, path=path, line=line, column=column)


def no_toml(path: Path, text: str, told: str) -> DocumentError:
    """The error for text that is no TOML, with the place the parser names."""
    found = PLACE.search(told)
    line, column = (int(found[n] or 0) for n in (1, 2)) if found else (0, 0)
    fix = "Write name = value, and put text between quotes"
    message = f"is not valid TOML: {brief_text(PLACE.sub('', told))}"
    line = line or text.rstrip("\n").count("\n") + 1
    return DocumentError(message, path=path, line=line, column=column, fix=fix)
