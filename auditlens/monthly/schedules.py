"""Schedules that start ``auditlens run`` once a day, as files beside the settings.

None holds a secret: the key stands in ``auditlens.env`` (0600, yours to write), in the secrets of
the service that runs the job, or in the user's environment. ``@FOLDER@`` and ``@PYTHON@`` in a
template become the folder of the settings and this Python, quoted as the format needs.

A command carries the SHA-256 of the settings file where that file says where secrets go: an edit
of the file moves nothing until somebody puts the new digits here. ``-P`` keeps Python from
importing a module that lies in the folder.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from auditlens.errors import UsageError

__all__ = ["SCHEDULES", "schedule_files"]

CRON = """\
# Daily at 03:17. Append these lines with 'crontab -e'. auditlens.env (0600) holds the lines
# SECODA_API_URL=... and SECODA_API_KEY=...
17 3 * * * cd @FOLDER@ && set -a && . ./auditlens.env && set +a && @PYTHON@ @RUN@
"""

SERVICE = """\
# Copy both files to /etc/systemd/system, then: systemctl enable --now auditlens.timer
# auditlens.env (0600) holds the lines SECODA_API_URL=... and SECODA_API_KEY=...
[Unit]
Description=AuditLens: sync, verify and report each month that is due
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory=@PLAIN_FOLDER@
EnvironmentFile=@PLAIN_FOLDER@/auditlens.env
ExecStart=@PYTHON@ @RUN@
UMask=0077
NoNewPrivileges=true
PrivateTmp=true
"""

TIMER = """\
[Unit]
Description=AuditLens, daily

[Timer]
OnCalendar=*-*-* 03:17:00
RandomizedDelaySec=10m
Persistent=true

[Install]
WantedBy=timers.target
"""

GITHUB = """\
# In a private repository: archive and reports name people. The archive is kept in the repository,
# because what Secoda has dropped can be had from nowhere else. Set the secret SECODA_API_KEY.
# GitHub stops schedules after 60 days without a commit; the daily one below prevents that.
name: auditlens
"on":
  workflow_dispatch:
  schedule:
    - cron: "17 3 * * *"
permissions:
  contents: write
concurrency:
  group: auditlens
  cancel-in-progress: false
jobs:
  run:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - run: pip install auditlens
      - name: Sync, verify, report, notify
        run: auditlens @TRUST@run
        env:
          SECODA_API_KEY: ${{ secrets.SECODA_API_KEY }}
      - name: Keep the archive and the reports
        if: always()
        run: |
          git config user.name auditlens
          git config user.email auditlens@users.noreply.github.com
          mkdir -p archive reports-out outbox
          git add --all -- archive reports-out outbox ':!archive/table'
          git diff --cached --quiet || git commit --quiet --message "Run auditlens"
          git push
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: reports
          path: reports-out
          if-no-files-found: ignore
"""

AIRFLOW = '''\
"""AuditLens, daily: sync, verify, and report each month that is due.

Copy into the folder of DAGs. The workers need auditlens, the folder below, and the variables
SECODA_API_URL and SECODA_API_KEY in their environment.
"""

import subprocess
import sys
from datetime import datetime, timedelta

from airflow.exceptions import AirflowFailException

try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

FOLDER = @FOLDER@
TRY_AGAIN = (3, 6)


@task(retries=4, retry_delay=timedelta(minutes=30))
def run_auditlens():
    """Exit codes 3 (source incomplete) and 6 (another run) pass by themselves; others do not."""
    command = [sys.executable, "-P", "-m", "auditlens", @WORDS@"run"]
    code = subprocess.run(command, cwd=FOLDER, check=False).returncode
    if code in TRY_AGAIN:
        raise RuntimeError(f"auditlens exited with {code}; it is tried again")
    if code:
        raise AirflowFailException(f"auditlens exited with {code}")


@dag(
    schedule="17 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["auditlens"],
)
def auditlens():
    run_auditlens()


auditlens()
'''

DOCKERFILE = """\
FROM python:3.13-slim
RUN pip install --no-cache-dir auditlens
WORKDIR /data
ENTRYPOINT ["auditlens"]
CMD [@WORDS@"run", "--quiet"]
"""

COMPOSE = """\
# docker compose up --detach. auditlens.env (0600) holds SECODA_API_URL=... and
# SECODA_API_KEY=...; UID and GID are those of the folder's owner.
services:
  auditlens:
    build: .
    init: true
    restart: unless-stopped
    user: "${UID:-1000}:${GID:-1000}"
    env_file: auditlens.env
    volumes:
      - .:/data
    entrypoint: ["/bin/sh", "-c"]
    command: ["while true; do auditlens @TRUST@run --quiet; sleep 86400; done"]
"""

IGNORED = """\
auditlens.env
archive
reports-out
outbox
"""

WINDOWS = """\
<?xml version="1.0" encoding="UTF-16"?>
<!-- schtasks /Create /TN AuditLens /XML auditlens-task.xml
     SECODA_API_URL and SECODA_API_KEY are variables of the user it runs as. -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>AuditLens: sync, verify and report each month that is due</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>2026-01-01T03:17:00</StartBoundary>
      <Enabled>true</Enabled>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT4H</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions>
    <Exec>
      <Command>@PYTHON@</Command>
      <Arguments>@RUN@</Arguments>
      <WorkingDirectory>@FOLDER@</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def for_cron(path: str) -> str:
    """A word of a crontab's command: a bare % would end the line there."""
    return shlex.quote(path).replace("%", "\\%")


def for_systemd(path: str) -> str:
    """A word of ExecStart."""
    inside = plain_systemd(path).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{inside}"'


def plain_systemd(path: str) -> str:
    """The whole value of a setting, in which only % means something."""
    return path.replace("%", "%%")


@dataclass(frozen=True)
class Schedule:
    """The files of one kind of schedule, by name, and how each format writes a path."""

    files: Mapping[str, str]
    quote: Callable[[str], str] = str
    encoding: str = "utf-8"


SCHEDULES: Mapping[str, Schedule] = {
    "airflow": Schedule({"auditlens_dag.py": AIRFLOW}, json.dumps),
    "container": Schedule(
        {"Dockerfile": DOCKERFILE, "compose.yml": COMPOSE, ".dockerignore": IGNORED}
    ),
    "cron": Schedule({"auditlens.cron": CRON}, for_cron),
    "github": Schedule({".github/workflows/auditlens.yml": GITHUB}),
    "systemd": Schedule({"auditlens.service": SERVICE, "auditlens.timer": TIMER}, for_systemd),
    "windows": Schedule({"auditlens-task.xml": WINDOWS}, escape, "utf-16"),
}


def schedule_files(
    kind: str, folder: Path, python: str = sys.executable, *, trust: str = ""
) -> dict[str, bytes]:
    """The files of one schedule by name, for the settings in ``folder``.

    Args:
        kind: One of SCHEDULES.
        folder: Where the settings file is.
        python: The interpreter that runs it.
        trust: SHA-256 (hex) of the settings file; empty when it moves no secret.

    Raises UsageError for a kind that is not in SCHEDULES or a folder no line can hold.
    """
    if kind not in SCHEDULES:
        raise UsageError(f"No schedule is called {kind!r}", fix=f"Use {', '.join(SCHEDULES)}")
    place = str(folder.absolute())
    if not (place + python).isprintable():
        raise UsageError("The folder's name holds a line break or the like", fix="Rename it")
    chosen = SCHEDULES[kind]
    marks = {
        "@FOLDER@": chosen.quote(place),
        "@PLAIN_FOLDER@": plain_systemd(place),
        "@PYTHON@": chosen.quote(python),
        "@RUN@": "-P -m auditlens @TRUST@run --quiet",
        "@TRUST@": f"--trust {trust} " if trust else "",
        "@WORDS@": f'"--trust", "{trust}", ' if trust else "",
    }
    made = {}
    for name, template in chosen.files.items():
        text = template
        for mark, value in marks.items():
            text = text.replace(mark, value)
        made[name] = text.encode(chosen.encoding)
    return made
