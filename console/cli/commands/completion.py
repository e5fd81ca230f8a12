"""`gigadeck completion`: shell completion, from click's own generator."""

from __future__ import annotations

import click

HOW = {
    "bash": 'eval "$(gigadeck completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(gigadeck completion zsh)"    # in ~/.zshrc',
    "fish": "gigadeck completion fish | source   # in ~/.config/fish/config.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(HOW)))
def completion(shell: str) -> None:
    r"""Print shell completion.

    \b
    Example:
      eval "$(gigadeck completion bash)"
    """
    from click.shell_completion import get_completion_class

    from console.cli.group import gigadeck

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(made(gigadeck, {}, "gigadeck", "_GIGADECK_COMPLETE").source())
