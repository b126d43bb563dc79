"""Schedules that start ``auditlens run`` once a day, as files beside the settings.

None holds a secret: the key stands in ``auditlens.env`` (0600, yours to write), in the secrets of
the service that runs the job, or in the user's environment. ``@FOLDER@`` and ``@PYTHON@`` in a
file of ``templates/`` become the folder of the settings and this Python, quoted as the format
needs.

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

TEMPLATES = Path(__file__).parent / "templates"


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
    """The files of one kind of schedule: name to template; how its format writes a path."""

    files: Mapping[str, str]
    quote: Callable[[str], str] = str
    encoding: str = "utf-8"


SCHEDULES: Mapping[str, Schedule] = {
    "airflow": Schedule({"auditlens_dag.py": "airflow-dag"}, json.dumps),
    "container": Schedule(
        {
            "Dockerfile": "container-dockerfile",
            "compose.yml": "container-compose",
            ".dockerignore": "container-dockerignore",
        }
    ),
    "cron": Schedule({"auditlens.cron": "crontab"}, for_cron),
    "github": Schedule({".github/workflows/auditlens.yml": "github-workflow"}),
    "systemd": Schedule(
        {"auditlens.service": "systemd-service", "auditlens.timer": "systemd-timer"}, for_systemd
    ),
    "windows": Schedule({"auditlens-task.xml": "windows-task"}, escape, "utf-16"),
}
"""Every kind of schedule by the name that ``auditlens init --schedule`` knows."""


def schedule_files(
    kind: str, folder: Path, python: str = sys.executable, *, trust: str = ""
) -> dict[str, bytes]:
    """The files of one schedule by name, for the settings in ``folder``.

    Args:
        kind: One of SCHEDULES.
        folder: Where the settings file is.
        python: The interpreter that runs it.
        trust: SHA-256 (hex) of the settings file; empty when it moves no secret.

    Returns:
        Contents by name, relative to the folder.

    Raises:
        UsageError: The kind is not in SCHEDULES, or no line can hold the folder's name.
    """
    if kind not in SCHEDULES:
        raise UsageError(f"Unknown schedule {kind!r}", fix=f"Use {', '.join(SCHEDULES)}")
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
        text = (TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
        for mark, value in marks.items():
            text = text.replace(mark, value)
        made[name] = text.encode(chosen.encoding)
    return made
