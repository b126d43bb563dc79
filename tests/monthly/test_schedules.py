"""Every schedule that ``init`` writes is one its own program would read."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from auditlens.canonical import sha256_hex
from auditlens.cli import auditlens
from auditlens.errors import UsageError
from auditlens.monthly import SCHEDULES, schedule_files
from auditlens.settings import UntrustedError

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def written(kind: str, folder: Path) -> dict[str, str]:
    """What ``init --schedule`` put beside the settings, by name."""
    arguments = ["init", "--folder", str(folder), "--schedule", kind]
    done = CliRunner().invoke(
        auditlens, [*arguments, "--api-url", "https://a.test", "--timezone", "UTC"]
    )
    assert done.exit_code == 0, done.output
    assert (folder / "auditlens.toml").is_file()
    ours = (".gitignore", "auditlens.toml", "triage.yml")
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ours and path.parent.name != "rules"
    ]
    encoding = "utf-16" if kind == "windows" else "utf-8"
    return {p.relative_to(folder).as_posix(): p.read_text(encoding=encoding) for p in files}


def test_the_crontab_line_has_five_fields_and_runs_in_the_folder(tmp_path):
    """And a shell that runs the line comes to the right program in the right folder."""
    text = written("cron", tmp_path)["auditlens.cron"]
    (line,) = [one for one in text.splitlines() if not one.startswith("#")]
    match = re.fullmatch(r"(\d+) (\d+) \* \* \* (\S.*)", line)
    assert 0 < int(match[1]) < 60
    assert int(match[2]) < 24
    (tmp_path / "auditlens.env").write_text("SECODA_API_KEY=x\n")
    command = match[3].replace("run --quiet", "run --help")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert "Usage: " in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a crontab has a POSIX shell")
def test_an_odd_folder_is_quoted_for_cron():
    """A bare per cent sign would end the command."""
    line = schedule_files("cron", Path("/srv/it's 100%"), "/usr/bin/python3")["auditlens.cron"]
    assert b"cd '/srv/it'\"'\"'s 100\\%' && " in line


def test_systemd_reads_the_service_and_the_timer(tmp_path):
    """By systemd itself where it is, else as the INI files they are."""
    files = written("systemd", tmp_path)
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str
    parsed.read_string(files["auditlens.service"])
    parsed.read_string(files["auditlens.timer"].replace("[Unit]", "[Timer's unit]"))
    assert parsed["Timer"]["Persistent"] == "true"
    assert parsed["Service"]["Type"] == "oneshot"
    assert parsed["Service"]["ExecStart"].endswith("run --quiet")
    if not shutil.which("systemd-analyze"):
        return
    units = [str(tmp_path / name) for name in files]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "auditlens" not in done.stderr


def test_the_workflow_is_started_by_hand_and_at_an_odd_minute(tmp_path):
    """And keeps the archive, uploads the reports, and names the key without holding it."""
    (text,) = written("github", tmp_path).values()
    parsed = yaml.safe_load(text)
    assert "workflow_dispatch" in parsed["on"]
    minute = int(parsed["on"]["schedule"][0]["cron"].split()[0])
    assert minute % 5
    steps = parsed["jobs"]["run"]["steps"]
    assert any(step.get("run", "").startswith("auditlens --trust ") for step in steps)
    assert any(step.get("uses", "").startswith("actions/upload-artifact@") for step in steps)
    assert parsed["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize(
    ("code", "raised"),
    [(0, None), (1, "Fail"), (3, "RuntimeError"), (5, "Fail"), (6, "RuntimeError")],
)
def test_the_dag_tries_again_what_passes_by_itself(tmp_path, monkeypatch, code, raised):
    """Run as a module, with the scheduler's own names stood in for."""
    (text,) = written("airflow", tmp_path).values()
    tasks = []

    class Fail(Exception):
        pass

    def task(**_):
        return lambda work: tasks.append(work) or (lambda: None)

    sdk = types.SimpleNamespace(dag=lambda **_: lambda make: make, task=task)
    faults = types.SimpleNamespace(AirflowFailException=Fail)
    stand_ins = {"airflow": types.ModuleType("airflow"), "airflow.sdk": sdk}
    for name, module in {**stand_ins, "airflow.exceptions": faults}.items():
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(text, "auditlens_dag.py", "exec"), space := {})
    calls = []
    done = types.SimpleNamespace(returncode=code)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: calls.append((a, k)) or done)
    (work,) = tasks
    try:
        work()
        assert raised is None
    except (Fail, RuntimeError) as error:
        assert type(error).__name__ == raised  # noqa: PT017 - either class may be the right one
    ((command,), options) = calls[0]
    assert command[1:5] == ["-P", "-m", "auditlens", "--trust"]
    assert command[-1] == "run"
    assert Path(options["cwd"]) == tmp_path.absolute()
    assert space["FOLDER"] == str(tmp_path.absolute())


def test_the_container_runs_daily_and_keeps_its_data_outside(tmp_path):
    """A file of the key is named, not copied into the image."""
    files = written("container", tmp_path)
    service = yaml.safe_load(files["compose.yml"])["services"]["auditlens"]
    assert "run --quiet" in service["command"][0]
    assert service["env_file"] == "auditlens.env"
    assert service["volumes"] == [".:/data"]
    assert files["Dockerfile"].startswith("FROM python:")
    assert "COPY" not in files["Dockerfile"]
    assert "auditlens.env" in files[".dockerignore"].split()


def test_the_windows_task_catches_up_and_does_not_overlap(tmp_path):
    """Parsed from the UTF-16 that Windows wants."""
    written("windows", tmp_path)
    root = ET.fromstring((tmp_path / "auditlens-task.xml").read_bytes())
    assert root.findtext(f".//{TASK}StartWhenAvailable") == "true"
    assert root.findtext(f".//{TASK}MultipleInstancesPolicy") == "IgnoreNew"
    assert root.findtext(f".//{TASK}WorkingDirectory") == str(tmp_path.absolute())
    assert root.findtext(f".//{TASK}Command") == sys.executable


def test_an_odd_folder_is_quoted_for_windows_and_systemd():
    """Ampersands and per cent signs mean something there."""
    odd = Path("/srv/a & b 100%")
    task = schedule_files("windows", odd, "p")["auditlens-task.xml"]
    assert ET.fromstring(task).findtext(f".//{TASK}WorkingDirectory") == str(odd.absolute())
    service = schedule_files("systemd", odd, "/a b/python")["auditlens.service"].decode()
    assert "100%%" in service
    assert 'ExecStart="/a b/python" -P -m' in service


def test_a_schedule_joins_settings_that_are_there_and_replaces_nothing(tmp_path):
    """The settings stay as they are; a second time is refused."""
    (tmp_path / "auditlens.toml").write_text("# mine\n")
    arguments = ["init", "--folder", str(tmp_path), "--schedule", "cron"]
    assert CliRunner().invoke(auditlens, arguments).exit_code == 0
    assert (tmp_path / "auditlens.toml").read_text() == "# mine\n"
    again = CliRunner().invoke(auditlens, arguments)
    assert isinstance(again.exception, UsageError)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
def test_no_file_holds_a_key(kind, tmp_path, monkeypatch):
    """Even when one stands in the environment."""
    monkeypatch.setenv("SECODA_API_KEY", "hidden-key-1234")
    assert all("hidden-key-1234" not in text for text in written(kind, tmp_path).values())


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_carries_the_hash_of_the_settings(tmp_path, kind):
    """So a later edit of the file cannot say where the key goes; a harmless file needs none."""
    files = written(kind, tmp_path)
    sha256 = sha256_hex((tmp_path / "auditlens.toml").read_bytes())
    assert any(sha256 in text for text in files.values())
    harmless = schedule_files(kind, tmp_path).values()
    assert not any(b"trust" in text for text in harmless)
    assert not any("trust".encode("utf-16-le") in text for text in harmless)


def crontab_command(folder: Path) -> str:
    """What cron would hand to a shell."""
    (line,) = [x for x in (folder / "auditlens.cron").read_text().splitlines() if x[0] != "#"]
    return line.split(maxsplit=5)[5]


@pytest.mark.skipif(sys.platform == "win32", reason="a crontab has a POSIX shell")
@pytest.mark.parametrize("edit", ["address", "receiver", "comment"])
def test_an_edit_of_the_folder_moves_no_scheduled_key(tmp_path, monkeypatch, edit):
    """Run as cron does it, by a user whose list of trusted files is not there."""
    written("cron", tmp_path)
    path = tmp_path / "auditlens.toml"
    more = {"address": path.read_text().replace("a.test", "b.test"),
            "receiver": path.read_text() + '[notify.x]\nkind = "slack"\nurl_env = "X"\n',
            "comment": path.read_text() + "#"}  # fmt: skip
    path.write_text(more[edit])
    (tmp_path / "auditlens.env").write_text("SECODA_API_KEY=k3y\n")
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the folder ran')\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    done = subprocess.run(
        ["/bin/sh", "-c", crontab_command(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "[AL-204]" in done.stderr
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize("variable", ["", "SECODA_API_URL", "AUDITLENS_API_URL"])
def test_no_schedule_is_written_for_a_file_that_is_not_trusted(tmp_path, monkeypatch, variable):
    """It would trust what nobody read; a variable of this shell changes nothing in that."""
    (tmp_path / "auditlens.toml").write_text('api_url = "https://b.test"\n')
    if variable:
        monkeypatch.setenv(variable, "https://a.test")
    done = CliRunner().invoke(auditlens, ["init", "--folder", str(tmp_path), "--schedule", "cron"])
    assert isinstance(done.exception, UntrustedError)
    assert not (tmp_path / "auditlens.cron").exists()
