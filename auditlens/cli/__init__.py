"""The command line: thin commands over the library, loaded one at a time.

Data goes to stdout, messages and progress to stderr. Only this floor exits the process.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from traceback import walk_tb
from typing import NoReturn, TextIO

import click

from auditlens.cli.commands import CommandTable, Unread, examples
from auditlens.errors import AuditLensError, Crash, Interrupted, UsageError

__all__ = ["auditlens", "main"]

EPILOG = """\b
Exit codes: 0 fine, 1 findings at --fail-on or above, 2 usage or rule error, 3 source
incomplete, 4 key refused, 5 integrity failure, 6 archive locked, 70 a fault of AuditLens,
130 interrupted.
docs/errors.md explains the code at the end of each error, such as [AL-201]."""


@examples(
    "demo                             a sample workspace, synced and reported",
    "init                             settings for your own workspace",
    "sync                             pull its audit log (SECODA_API_KEY holds the key)",
    "report --period last --out out   the report of last month",
)
@click.group(
    cls=CommandTable, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--no-color", is_flag=True, help="No colors; the variable NO_COLOR says the same.")
@click.option(
    "--trust",
    metavar="SHA256",
    multiple=True,
    help="Trust the settings file with these bytes; 'auditlens config trust' prints the digits.",
)
@click.version_option(package_name="auditlens", message="%(version)s")
def auditlens(no_color: bool, trust: tuple[str, ...]) -> None:
    """Turn a data catalog's audit log into a compliance report people can trust."""


def main() -> None:
    """Run the command line; every error becomes one line on stderr and its exit code."""
    if sys.stdout is None:
        fail(f"Standard output is closed. Send it to a file or {os.devnull} [{UsageError.code}]", 2)
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding does not know is no reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(ran())
    except SystemExit:
        raise
    except AuditLensError as error:
        fail(f"{error} [{error.code}]", error.exit_code)
    except KeyboardInterrupt:
        fail(f"interrupted [{Interrupted.code}]", Interrupted.exit_code)
    except (Unread, BrokenPipeError):
        mute(sys.stdout)
        mute(sys.stderr)
        sys.exit(141)  # as if SIGPIPE had ended it
    except OSError as error:
        unwritten(error)
        crashed(error)
    except BaseException as error:  # noqa: BLE001 - a panic of the engine is no Exception
        crashed(error)


def ran() -> int:
    """Run the command and give its exit code; a wrong command line ends here."""
    if os.environ.get("_AUDITLENS_COMPLETE", "").startswith("powershell"):
        from auditlens.cli.completion import know_powershell

        know_powershell()
    try:
        code = auditlens.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        code = 0
        click.echo(error.format_message())
    except click.ClickException as error:
        usage(error)
    except click.exceptions.Abort as error:
        # A prompt that was broken off has no cause, a file that ended early has.
        raise error.__cause__ or KeyboardInterrupt from None
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def crashed(error: BaseException) -> NoReturn:
    """Tell of a fault of our own; the whole traceback is for those who ask for it."""
    told = Crash.of(error)
    if os.environ.get("AUDITLENS_TRACEBACK"):
        from traceback import format_exception

        from auditlens.cli.terminal import note
        from auditlens.sources.address import Key

        note(Key(os.environ.get("SECODA_API_KEY", "")).redact("".join(format_exception(error))))
    fail(f"{told} [{told.code}]", told.exit_code)


def unwritten(error: OSError) -> None:
    """Exit when there is no place for what standard output or error is given; else return."""
    last = [frame for frame, _ in walk_tb(error.__traceback__)][-1:]
    module = str(last[0].f_globals.get("__name__", "")) if last else ""
    writing = module.partition(".")[0] in ("click", "rich") or module in (__name__, "codecs")
    if error.filename is not None or not writing:
        return
    mute(sys.stdout)
    fail(f"The output could not be written ({error.strerror}) [{UsageError.code}]", 2)


def mute(stream: TextIO | None) -> None:
    """Send what is still to be written nowhere, so that the end of the program is no error."""
    with suppress(OSError, ValueError, AttributeError):
        number = os.open(os.devnull, os.O_WRONLY)
        os.dup2(number, stream.fileno())  # type: ignore[union-attr]
        os.close(number)


def usage(error: click.ClickException) -> NoReturn:
    """A wrong command line: how the command is used, and what was wrong."""
    ctx = getattr(error, "ctx", None)
    shown = f"Error: {error.format_message()} [{UsageError.code}]"
    if isinstance(ctx, click.Context):
        shown = f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n\n{shown}"
    leave(shown, UsageError.exit_code)


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong, on as few lines as it takes, and exit."""
    from auditlens.cli.terminal import visible

    leave("\n".join(f"auditlens: {visible(line)}" for line in message.splitlines()), code)


def leave(message: str, code: int) -> NoReturn:
    """Exit; that nobody could read the message changes no exit code."""
    try:
        click.echo(message, err=True)
    except OSError:
        mute(sys.stderr)
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        mute(sys.stdout)
    sys.exit(code)
