"""TOML of any size and form ends with one sentence that has its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditlens.errors import DocumentError, UsageError
from auditlens.settings import load_settings

BAD: dict[str, tuple[bytes, int]] = {
    "digits": (b"\nseed = " + b"1" * 5000, 2),
    "digits in a list": (b"\nholidays = [\n" + b"1" * 5000 + b"]", 3),
    "digits with underscores": (b"seed = " + b"1_" * 5000 + b"1", 1),
    "hexadecimal digits": (b"\nseed = 0x" + b"f" * 100_000, 2),
    "octal digits": (b"seed = 0o" + b"7" * 5000, 1),
    "a number above the bound": (b"\nseed = 4294967296", 2),
    "days above the bound": (b"history_days = 999999999999", 1),
    "brackets": (b"\nframeworks = " + b"[" * 20_000 + b"]" * 20_000, 2),
    "open brackets": (b"a = " + b"[" * 20_000, 1),
    "braces": (b"placeholders = " + b"{a = " * 20_000 + b"}" * 20_000, 1),
    "brackets and braces": (b"placeholders = " + b"[{a = " * 20_000, 1),
    "brackets over lines": (b"also = [\n" + b"[\n" * 20_000, 65),
    "table headers": (b"\n" + b"[" * 20_000, 2),
    "parts of a name": (b"\n" + b"a." * 200_000 + b"b = 1", 2),
    "quoted parts of a name": (b"\n" + b'"a" . ' * 100_000 + b"b = 1", 2),
    "parts of a table's name": (b"\n[" + b"a." * 200_000 + b"b]", 2),
    "deep value of a known name": (b"seed." + b"a." * 60 + b"b = 1", 1),
    "NUL": (b"\nseed = 1\0", 2),
    "NUL escaped": (b'\nworkspace = "a\\u0000b"', 2),
    "a line break in a path": (b'\narchive = "a\\nb"', 2),
    "byte order mark": (b"\xef\xbb\xbfseed = 1", 1),
    "UTF-16": ("seed = 1\n".encode("utf-16"), 1),
    "Latin-1": ("\n\nworkspace = 'é'".encode("latin-1"), 3),
    "half a character": (b"\nworkspace = '\xe2\x82", 2),
    "a lone carriage return": (b"seed = 1\rtimezone = 'UTC'\n", 1),
    "inf": (b"\nseed = inf", 2),
    "nan": (b"\nsenders_a_day = nan", 2),
    "minus inf": (b"\nhistory_days = -inf", 2),
    "a float": (b"\ngrace_days = 3.0", 2),
    "true for a number": (b"\nseed = true", 2),
    "a date for a number": (b"\nseed = 2026-01-01", 2),
    "a date for text": (b"\ntimezone = 2026-01-01", 2),
    "a time for a day": (b"\nholidays = [07:30:00]", 2),
    "a date with a time for a day": (b"\nholidays = [2026-01-01T00:00:00Z]", 2),
    "a table for text": (b"\n[timezone]\na = 1", 2),
    "a table for a number": (b"\n[seed]\n", 2),
    "an array of tables": (b"\n[[archive]]\na = 1", 2),
    "a list for text": (b"\nworkspace = ['a']", 2),
    "text for a list": (b"\nalso = 'ocsf'", 2),
    "a table in a list": (b"\nframeworks = [{a = 1}]", 2),
    "a number in placeholders": (b"\n[placeholders]\na = [1]", 2),
    "the same name twice": (b"\nseed = 1\nseed = 2", 3),
    "the same table twice": (b"[placeholders]\na = []\n[placeholders]\n", 3),
    "a receiver twice": (b"[notify.a]\nkind = 'slack'\n[notify.a]\n", 3),
    "an unclosed text": (b"\nworkspace = 'a", 2),
    "an unclosed long text": (b'\nworkspace = """a\n\n', 2),
    "no such date": (b"\nholidays = [2026-02-30]", 2),
    "a long name": (b"\n" + b"a" * 500_000 + b" = 1", 2),
    "a name with a line break": (b'\n"a\\nauditlens: all is well" = 1', 0),
    "a receiver's long name": (b"\n[notify." + b"a" * 5000 + b"]\nkind = 'slack'", 2),
    "a receiver's name with a break": (b'\n[notify."a\\nb"]\nkind = 1', 0),
    "a long value": (b"\ntimezone = '" + b"a" * 500_000 + b"'", 2),
    "a long list as text": (b"\ntimezone = [" + b"1," * 100_000 + b"]", 2),
    "a long port": (b"[notify.a]\nkind = 'email'\nport = 0x" + b"f" * 5000, 3),
    "inf as port": (b"[notify.a]\nkind = 'email'\nport = inf", 3),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str):
    """In one short sentence; a value from the file does not fill the screen."""
    text, line = BAD[name]
    (tmp_path / "auditlens.toml").write_bytes(text)
    with pytest.raises(DocumentError) as fault:
        load_settings(tmp_path, {})
    assert fault.value.exit_code == 2
    assert fault.value.line == line
    assert len(str(fault.value)) < 1500
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("name", ["digits", "brackets", "braces", "parts of a name", "NUL"])
def test_a_foreign_project_file_stops_nothing(tmp_path: Path, name: str):
    """One that holds no table of ours is passed by, whatever it is."""
    (tmp_path / "auditlens.toml").write_text("seed = 3\n")
    (tmp_path / "inner").mkdir()
    for start in (b"", b"[tool.other]\n", b"# auditlens\n"):
        (tmp_path / "inner" / "pyproject.toml").write_bytes(start + BAD[name][0])
        assert load_settings(tmp_path / "inner", {}).seed == 3
    (tmp_path / "inner" / "pyproject.toml").write_bytes(b"[tool.auditlens]\n" + BAD[name][0])
    with pytest.raises(DocumentError):
        load_settings(tmp_path / "inner", {})


@pytest.mark.parametrize("text", ["tool = 1", "tool = 'auditlens'", "[[tool]]\nauditlens = 1",
                                  "auditlens = 1", "[tool]\nx = 'auditlens'"])  # fmt: skip
def test_a_tool_that_is_no_table_holds_no_settings(tmp_path: Path, text: str):
    """It is somebody else's file."""
    (tmp_path / "pyproject.toml").write_text(text)
    assert load_settings(tmp_path, {}).seed == 0


def test_what_is_within_the_bounds_is_read(tmp_path: Path):
    """Brackets, dots and digits inside text and comments count for nothing."""
    text = (
        f'workspace = \'{"[" * 200}\'\nreviewer = "{"{" * 200} \\" {"1" * 3000}" # {"[" * 200}\n'
        f'[placeholders]\na = ["""{"[" * 90}\n" {"a." * 90}x"""]\nb = [\'\'\'{"{" * 90}\'\'\']\n'
    )
    (tmp_path / "auditlens.toml").write_text(text)
    assert load_settings(tmp_path, {}).workspace == "[" * 200


@pytest.mark.skipif(os.name == "nt", reason="files of POSIX")
@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling", "loop", "device", "sparse"])
def test_what_is_no_file_is_told_at_once(tmp_path: Path, kind: str):
    """Neither a wait nor a search further up."""
    path = tmp_path / "auditlens.toml"
    {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "dangling": lambda: path.symlink_to("nowhere"),
        "loop": lambda: path.symlink_to(path.name),
        "device": lambda: path.symlink_to("/dev/zero"),
        "sparse": lambda: (path.touch(), os.truncate(path, 200 << 30)),
    }[kind]()
    with pytest.raises(DocumentError, match=r"auditlens\.toml: ") as fault:
        load_settings(tmp_path, {})
    assert fault.value.exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SEED", "1" * 5000), ("SEED", "²"), ("SEED", "--5"), ("SEED", "1e3"), ("SEED", "٣"),
        ("SEED", "inf"), ("HISTORY_DAYS", "99999999999"), ("DIRECTORY", "1" * 5000),
        ("HOLIDAYS", "2026-02-30"), ("TIMEZONE", "../../etc/passwd"), ("TIMEZONE", "a" * 5000),
        ("ARCHIVE", "a\nb"), ("TIMEZONE", ""),
    ],
)  # fmt: skip
def test_a_variable_that_is_no_value_is_told(tmp_path: Path, variable: str, value: str):
    """By its name; never a traceback."""
    with pytest.raises(UsageError, match=f"AUDITLENS_{variable}: "):
        load_settings(tmp_path, {f"AUDITLENS_{variable}": value})


def test_a_nul_character_has_its_line_and_column(tmp_path: Path):
    """Columns count from the start of the line, after a blank first one too."""
    for text, place in ((b"\na = 1\0", (2, 6)), (b"a = 1\0", (1, 6)), (b"b = 1\na\0", (2, 2))):
        (tmp_path / "auditlens.toml").write_bytes(text)
        with pytest.raises(DocumentError, match="NUL") as fault:
            load_settings(tmp_path, {})
        assert (fault.value.line, fault.value.column) == place
