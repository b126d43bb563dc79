"""Where the API key is: the environment, else a command, else a file that only its owner reads."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping

from auditlens.errors import IntegrityError, UsageError
from auditlens.files import open_regular
from auditlens.settings.schema import Settings
from auditlens.settings.trust import require_trusted

__all__ = ["find_key"]

VARIABLE = "SECODA_API_KEY"
SECONDS = 30.0
MOST = 1 << 14


def find_key(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Find the API key: in the environment, else by a command, else in a file.

    Args:
        settings: They name command and file.
        environ: The environment; default: that of the process.

    Returns:
        The key and where it came from, in words; both empty when there is none.

    Raises:
        UsageError: A file that others may read, or a command that fails; no message holds what
            either gave.
        UntrustedError: A file that is not trusted names command or file.
    """
    environ = os.environ if environ is None else environ
    if key := environ.get(VARIABLE):
        return key, f"from the environment variable {VARIABLE}"
    require_trusted(settings.withheld, ("key_command", "key_file"))
    if settings.key_command:
        return from_command(settings.key_command, environ), "from the command key_command"
    if settings.key_file is not None:
        return from_file(settings), f"from the file {settings.key_file.name}"
    return "", ""


def from_command(command: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """The first line that a program prints; no shell reads the command."""
    problem = ""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own settings name it
            command, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        lines = done.stdout[:MOST].decode("ascii", "replace").splitlines()
        if done.returncode:
            problem = f"ended with {done.returncode}"
        elif not lines or not lines[0].strip():
            problem = "printed nothing"
        else:
            return lines[0].strip()
    except subprocess.TimeoutExpired:
        problem = f"took longer than {SECONDS:g} s"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise UsageError(f"The key_command {command[0]!r} {problem}", fix="Try it in a terminal")


def from_file(settings: Settings) -> str:
    path = settings.key_file
    assert path is not None
    try:
        with os.fdopen(open_regular(path, follow=True), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(MOST).decode("ascii", "replace")
    except IntegrityError as error:
        raise UsageError(error.message, fix="Name another in settings") from None
    except OSError as error:
        raise UsageError(
            f"The key_file {path} cannot be read ({error.strerror})", fix="Name another in settings"
        ) from None
    if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"The key_file {path} can be read by others", fix=f"Run 'chmod 600 {path}'"
        )
    if not text.strip():
        raise UsageError(f"The key_file {path} is empty", fix="Put the key into it, on one line")
    return text.strip()
