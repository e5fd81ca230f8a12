"""`gigadeck expand` and `gigadeck fold`: host lists as Slurm and ClusterShell write them."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("hostlist", nargs=-1)
def expand(hostlist: tuple[str, ...]) -> None:
    r"""Turn host lists into names, one a line; `-` reads them from standard input.

    \b
    Example:
      gigadeck expand 'n[0001-0003,0007]'
    """
    from console.core.hostlist import expand as expand_names

    for name in expand_names(",".join(_words(hostlist))):
        click.echo(name)


@click.command()
@click.argument("names", nargs=-1)
def fold(names: tuple[str, ...]) -> None:
    r"""Turn names into one host list; `-` reads them from standard input.

    \b
    Example:
      gigadeck status --level node --where 'temp_c_max > 85' --format id | gigadeck fold -
    """
    from console.core.hostlist import fold as fold_names

    click.echo(fold_names(_words(names)))


def _words(given: tuple[str, ...]) -> list[str]:
    if not given and sys.stdin.isatty():
        raise click.UsageError("name something, or give - and names on standard input")
    read = sys.stdin.read().replace(",\n", "\n").split() if "-" in given or not given else []
    return [word for word in given if word != "-"] + read
