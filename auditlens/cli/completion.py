"""``auditlens completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

__all__ = ["completion"]

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the completion script of a shell; each has its own way to load it.

    \b
    bash:  auditlens completion bash > ~/.local/share/bash-completion/completions/auditlens
    zsh:   auditlens completion zsh > a folder of $fpath, as _auditlens
    fish:  auditlens completion fish > ~/.config/fish/completions/auditlens.fish
    """
    from click.shell_completion import get_completion_class

    from auditlens.cli import auditlens

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(auditlens, {}, "auditlens", "_AUDITLENS_COMPLETE")
    # Not source(): it would start a bash to ask for its version.
    click.echo(script.source_template % script.source_vars())
