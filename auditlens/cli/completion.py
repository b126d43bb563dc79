"""``auditlens completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import os

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
)

from auditlens.cli.commands import examples

__all__ = ["completion", "know_powershell"]

SHELLS = ("bash", "zsh", "fish", "powershell")
HELP = """Print the completion script of a shell; each has its own way to load it.

\b
bash:        auditlens completion bash > ~/.local/share/bash-completion/completions/auditlens
zsh:         auditlens completion zsh > a folder of $fpath, as _auditlens
fish:        auditlens completion fish > ~/.config/fish/completions/auditlens.fish
powershell:  auditlens completion powershell >> $PROFILE
"""


# Words go by the environment: what PowerShell hands to a program as arguments loses its quotes.
# Nothing on stdout lets PowerShell complete file names, as it does by itself.
SCRIPT = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString() })
    $env:_COMPLETE_WORDS = $words -join "`n"
    $env:_COMPLETE_WORD = "$wordToComplete"
    $env:%(complete_var)s = "powershell_complete"
    try {
        %(prog_name)s 2>$null | Where-Object { $_ } | ForEach-Object {
            $value, $told = $_ -split "`t", 2
            if (-not $told) { $told = $value }
            [System.Management.Automation.CompletionResult]::new(
                $value, $value, [System.Management.Automation.CompletionResultType]::ParameterValue,
                $told)
        }
    }
    finally {
        Remove-Item Env:_COMPLETE_WORDS, Env:_COMPLETE_WORD, Env:%(complete_var)s `
            -ErrorAction SilentlyContinue
    }
}
"""


@examples(
    "completion bash > ~/.local/share/bash-completion/completions/auditlens",
)
@click.command(help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    root = click.get_current_context().find_root().command
    script = kind_of(shell)(root, {}, "auditlens", "_AUDITLENS_COMPLETE")
    # Not source(): it would start a bash to ask for its version.
    click.echo(script.source_template % script.source_vars())


def kind_of(shell: str) -> type[ShellComplete]:
    """How a shell asks for completions."""
    know_powershell()
    kind = get_completion_class(shell)
    assert kind is not None
    return kind


def know_powershell() -> None:
    """Tell click about PowerShell, which it does not know by itself."""
    add_completion_class(PowerShellComplete)


class PowerShellComplete(ShellComplete):
    """Asked by the script above: the words up to the cursor, one a line, and the last one."""

    name = "powershell"
    source_template = SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words after the program's name, and the one that is not whole yet."""
        words = [plain(word) for word in os.environ.get("_COMPLETE_WORDS", "").split("\n")]
        incomplete = plain(os.environ.get("_COMPLETE_WORD", ""))
        if incomplete and words[-1] == incomplete:
            words.pop()
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """One line: the value, and its help if there is one."""
        if item.type != "plain":
            return ""
        told = " ".join((item.help or "").split())
        return f"{item.value}\t{told}" if told else str(item.value)

    def complete(self) -> str:
        """All lines; none for a file or a folder, which PowerShell knows better."""
        args, incomplete = self.get_completion_args()
        lines = map(self.format_completion, self.get_completions(args, incomplete))
        return "\n".join(line for line in lines if line)


def plain(word: str) -> str:
    """A word without the quotes around it."""
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
    return word[1:-1] if quoted else word
