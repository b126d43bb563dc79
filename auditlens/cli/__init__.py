"""The command line: thin commands over the library, loaded one at a time.

Data goes to stdout, messages and progress to stderr. Only this floor exits the process.
"""

from __future__ import annotations

import os
import sys

import click

from auditlens.cli.commands import CommandTable
from auditlens.cli.completion import know_powershell
from auditlens.cli.examples import examples
from auditlens.errors import AuditLensError, Interrupted, UsageError

__all__ = ["auditlens", "main"]

EPILOG = """\b
Exit codes: 0 fine, 1 findings at --fail-on or above, 2 usage or rule error, 3 source
incomplete, 4 key refused, 5 integrity failure, 6 archive locked, 130 interrupted.
docs/errors.md explains the code at the end of each error, such as [AL-201]."""


@examples(
    "demo                             a made-up workspace, synced and reported",
    "init                             settings for your own workspace",
    "sync                             pull its audit log (SECODA_API_KEY holds the key)",
    "report --period last --out out   the report of last month",
)
@click.group(
    cls=CommandTable, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--no-color", is_flag=True, help="No colors; the variable NO_COLOR says the same.")
@click.version_option(package_name="auditlens", message="%(version)s")
def auditlens(no_color: bool) -> None:
    """Turn a data catalog's audit log into a compliance report people can trust."""


def main() -> None:
    """Run the command line; every error becomes one line on stderr and its exit code."""
    if os.environ.get("_AUDITLENS_COMPLETE", "").startswith("powershell"):
        know_powershell()
    try:
        code = auditlens.main(standalone_mode=False)
    except AuditLensError as error:
        fail(f"{error} [{error.code}]", error.exit_code)
    except click.exceptions.Abort:
        fail(f"interrupted [{Interrupted.code}]", 130)
    except click.ClickException as error:
        usage(error)
        sys.exit(2)
    except KeyboardInterrupt:
        fail(f"interrupted [{Interrupted.code}]", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def usage(error: click.ClickException) -> None:
    """A wrong command line: how the command is used, and what was wrong."""
    ctx = getattr(error, "ctx", None)
    if isinstance(ctx, click.Context):
        click.echo(f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n", err=True)
    click.echo(f"Error: {error.format_message()} [{UsageError.code}]", err=True)


def fail(message: str, code: int) -> None:
    """Say what went wrong, on as few lines as it takes, and exit."""
    from auditlens.cli.terminal import visible

    for line in message.splitlines():
        click.echo(f"auditlens: {visible(line)}", err=True)
    sys.exit(code)
