"""Wrong input from a person: one line with the fix, the right code, nothing half-made."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

SLOW = pytest.mark.slow
PERIOD = ("--period", "2026-10-01..2026-10-31")


@pytest.fixture
def events(tmp_path) -> Path:
    path = tmp_path / "events.ndjson"
    lines = [
        json.dumps(
            {
                "id": f"e{n}",
                "created_at": f"2026-10-{n % 28 + 1:02d}T09:00:00.000Z",
                "event": "tag_added",
                "sender": {"id": "s", "email": "s@example.org"},
            }
        )
        for n in range(40)
    ]
    path.write_text("\n".join(lines))
    return path


FILES = {
    "missing": None,
    "empty": b"",
    "blank": b"\n \n",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "prose": b"Dear auditor,\nplease find enclosed\n",
    "gzip in name only": b"plain text",
    "zstd in name only": b"plain text",
    "cut gzip": None,
    "parquet in name only": b"PAR1 but no more",
    "number": b"42\n",
    "truncated json": b'[{"id": "1", "created_at": "2026-1',
    "wrong object": b'{"hello": "world"}\n',
}
SUFFIX = {
    "gzip in name only": ".ndjson.gz",
    "zstd in name only": ".ndjson.zst",
    "cut gzip": ".gz",
    "parquet in name only": ".parquet",
    "truncated json": ".json",
    "picture": ".csv",
}


def placed(tmp_path: Path, kind: str) -> Path:
    import gzip

    path = tmp_path / f"input{SUFFIX.get(kind, '.ndjson')}"
    if kind == "cut gzip":
        path.write_bytes(gzip.compress(b'{"id": "1"}\n' * 500)[:-20])
    elif kind != "missing":
        path.write_bytes(FILES[kind])
    return path


@pytest.mark.parametrize(
    "kind",
    [k if k in {"missing", "empty", "prose"} else pytest.param(k, marks=SLOW) for k in FILES],
)
def test_a_file_that_holds_no_log_is_refused_in_one_line(auditlens, tmp_path, one_clear_line, kind):
    """The line names the file; no report folder appears."""
    path = placed(tmp_path, kind)
    ran = auditlens("report", path, "--period", "2026-10", "--out", tmp_path / "out")
    assert ran.code == 2, ran.out + ran.err
    one_clear_line(ran, path.name)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


NO_PERIODS = (
    "",
    "never",
    "2026-10-31..2026-10-01",
    "2026-10-01..",
    "2026-02-30..2026-03-01",
    "0000-01",
    "99999-01",
    "2026-10 2026-11",
    "../..",
    "2026-1",
)


@pytest.mark.parametrize(
    "period",
    ["2026-13", *(pytest.param(text, marks=SLOW) for text in NO_PERIODS)],
)
def test_a_period_that_is_none_is_refused(auditlens, events, one_clear_line, period):
    """The line shows a form that would be right."""
    ran = auditlens("check", events, "--period", period)
    assert ran.code == 2, ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "2026" in ran.err or "YYYY" in ran.err


@pytest.mark.skipif(sys.platform != "linux", reason="names folders that Linux never lets write")
@pytest.mark.parametrize("command", ["report", "sync"])
@pytest.mark.parametrize(
    "folder", ["/sys/audit", *(pytest.param(p, marks=SLOW) for p in ("/proc/audit", "/dev/full/a"))]
)
def test_a_folder_nobody_may_write_is_named(
    workspace, auditlens, events, one_clear_line, command, folder
):
    """Not even an administrator can write there: one line with the folder, exit 2."""
    if command == "report":
        ran = auditlens("report", events, "--period", "2026-10", "--out", folder)
    else:
        ran = auditlens.sync(workspace(events=5), Path(folder))
    assert ran.code == 2, ran.err
    one_clear_line(ran, folder)


@pytest.mark.parametrize("command", ["report", pytest.param("sync", marks=SLOW)])
def test_a_file_where_a_folder_must_be_is_named(
    workspace, auditlens, events, tmp_path, one_clear_line, command
):
    """A file in the way of the output folder or the archive is left as it is."""
    way = tmp_path / "way"
    way.write_text("mine")
    if command == "report":
        ran = auditlens("report", events, "--period", "2026-10", "--out", way)
    else:
        ran = auditlens.sync(workspace(events=5), way)
    assert ran.code == 2, ran.out + ran.err
    one_clear_line(ran, "way")
    assert way.read_text() == "mine"


RULES = {
    "not yaml": "title: [unclosed\n",
    "no title": "detection: {a: {event: x}, condition: a}\n",
    "tab": "title: x\n\tid: 1\n",
    "duplicate key": "title: a\ntitle: b\n",
    "unknown condition": "title: a\nid: 7a3c0b0e-0000-4000-8000-000000000001\n"
    "logsource: {product: secoda}\ndetection:\n  a: {event: x}\n  condition: b\nlevel: low\n",
    "alias bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
    "binary": "\x00\x01\x02",
}


@pytest.mark.parametrize(
    "kind", [k if k == "unknown condition" else pytest.param(k, marks=SLOW) for k in RULES]
)
def test_a_malformed_rule_is_named_with_its_line(auditlens, events, tmp_path, kind):
    """File and line, exit 2, no traceback, and no findings on stdout."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "broken.yml").write_text(RULES[kind])
    ran = auditlens("check", "--json", "--rules", folder, events, *PERIOD)
    assert ran.code == 2, ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "broken.yml" in ran.err
    assert ran.out.strip() == ""


SETTINGS = {
    "not toml": "archive = \n",
    "unknown name": 'archiv = "x"\n',
    "wrong type": "senders_a_day = 'three'\n",
    "bad zone": 'timezone = "Mars/Olympus"\n',
    "not utf-8": b"archive = '\xff'\n",
}


@pytest.mark.parametrize(
    "kind", [k if k == "unknown name" else pytest.param(k, marks=SLOW) for k in SETTINGS]
)
def test_malformed_settings_are_named(auditlens, events, one_clear_line, kind):
    """A faulty auditlens.toml stops every command that reads it, in one line."""
    text = SETTINGS[kind]
    path = auditlens.home / "auditlens.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = auditlens("check", events, *PERIOD)
    assert ran.code == 2, ran.out + ran.err
    one_clear_line(ran, "auditlens.toml")


@pytest.mark.parametrize("command", ["verify", "status", pytest.param("check", marks=SLOW)])
def test_an_archive_that_is_not_there_is_not_made_up(auditlens, tmp_path, one_clear_line, command):
    """Reading commands do not create what they should read."""
    folder = tmp_path / "nowhere"
    more = PERIOD if command == "check" else ()
    ran = auditlens(command, "--archive", folder, *more)
    assert ran.code == 2, ran.out + ran.err
    one_clear_line(ran, "nowhere")
    assert not folder.exists()


def test_a_key_on_the_command_line_is_refused(workspace, auditlens, tmp_path):
    """Process lists and shell histories are no place for a key."""
    secoda = workspace(events=5)
    for flag in ("--key", "--api-key"):
        ran = auditlens("sync", "--archive", tmp_path / "a", flag, secoda.key)
        assert ran.code == 2
        assert "Traceback" not in ran.err
        assert secoda.key not in ran.out + ran.err
    assert secoda.state().requests == []


def test_without_a_key_nothing_is_asked(workspace, auditlens, tmp_path, one_clear_line):
    """The line names the variable to set."""
    secoda = workspace(events=5)
    ran = auditlens("sync", "--archive", tmp_path / "archive", SECODA_API_URL=secoda.url)
    assert ran.code in {2, 4}
    one_clear_line(ran, "SECODA_API_KEY")
    assert secoda.state().requests == []
