"""A report that used the directory is done again with the pull it used."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlens.archive import Archive
from auditlens.cli import auditlens
from auditlens.simulator import serve, simulate
from auditlens.sources import SecodaSource


@pytest.fixture
def reported(tmp_path, monkeypatch):
    """An archive with a directory of May, and the report of May 2026 made from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    made_up = simulate(5, people=4, services=0, resources=30, teams=1, days=40,
                       end=date(2026, 6, 1), incidents=False, events_per_day=4)  # fmt: skip
    archive = Archive("archive")
    with serve(made_up, page_size=1000) as server:
        source = SecodaSource(server.url, server.key)
        archive.sync(source)

        def pull(*day):
            return archive.pull_directory(
                source.directory(), now=lambda: datetime(*day, tzinfo=UTC)
            )[0]

        pull(2026, 5, 2)
        assert run("report", "--period", "2026-05", "--out", "out").exit_code == 0
        yield pull
        source.close()


def run(*arguments):
    return CliRunner().invoke(auditlens, [*arguments, "--archive", "archive"])


def test_a_pull_that_came_later_is_left_aside(reported):
    """Even one dated inside the period: the record names the pull that was used."""
    reported(2026, 5, 20)
    done = run("verify", "--report", "out")
    assert done.exit_code == 0, done.output
    assert "Verified:" in done.output


def test_a_changed_byte_of_the_directory_fails_the_report(reported):
    """The evidence of who was what is evidence too."""
    file = Path("archive/directory/000001-users.ndjson.zst")
    data = file.read_bytes()
    file.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    done = run("verify", "--report", "out")
    code = getattr(done.exception, "exit_code", done.exit_code)
    assert code == 5
    assert "000001-users" in str(done.exception) + done.output
