"""`gigadeck themes`: the themes there are, and what is wrong with any."""

from __future__ import annotations

import click

from console.cli.exits import Exit
from console.cli.options import Shape, shape_options

FIELDS = ("id", "title", "dark", "state", "reason")


@click.command()
@shape_options(rows=False)
def themes(shape: Shape) -> int:
    r"""List the themes; exit 1 if one cannot be used.

    \b
    Example:
      gigadeck themes --format id
    """
    from console.cli.simple import write_simple
    from console.wiring import all_themes

    good, errors = all_themes()
    rows = [
        {"id": theme.name, "title": theme.title, "dark": theme.dark, "state": "ok", "reason": ""}
        for theme in sorted(good.values(), key=lambda theme: theme.name)
    ]
    rows += [{"id": error.file, "title": "", "dark": None, "state": "failed", "reason": str(error)} for error in errors]
    write_simple(rows, FIELDS, shape, name="themes")
    return Exit.FAILED if errors else Exit.DONE
