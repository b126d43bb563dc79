"""``auditlens completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditlens.cli.examples import examples

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

__all__ = ["completion", "know_powershell"]

SHELLS = ("bash", "zsh", "fish", "powershell")
HELP = """Print the completion script of a shell; each has its own way to load it.

\b
bash:        auditlens completion bash > ~/.local/share/bash-completion/completions/auditlens
zsh:         auditlens completion zsh > a folder of $fpath, as _auditlens
fish:        auditlens completion fish > ~/.config/fish/completions/auditlens.fish
powershell:  auditlens completion powershell >> $PROFILE
"""


@examples(
    "completion bash > ~/.local/share/bash-completion/completions/auditlens",
)
@click.command(help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from auditlens.cli import auditlens

    script = kind_of(shell)(auditlens, {}, "auditlens", "_AUDITLENS_COMPLETE")
    # Not source(): it would start a bash to ask for its version.
    click.echo(script.source_template % script.source_vars())


def kind_of(shell: str) -> type[ShellComplete]:
    """How a shell asks for completions."""
    from click.shell_completion import get_completion_class

    know_powershell()
    kind = get_completion_class(shell)
    assert kind is not None
    return kind


def know_powershell() -> None:
    """Tell click about PowerShell, which it does not know by itself."""
    from click.shell_completion import add_completion_class

    from auditlens.cli.powershell import PowerShellComplete

    add_completion_class(PowerShellComplete)
