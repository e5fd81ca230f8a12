"""`gigadeck plugins`: what is plugged in, and what is wrong with any."""

from __future__ import annotations

import click

from console.cli.exits import Exit
from console.cli.options import Shape, shape_options

FIELDS = ("id", "title", "version", "state", "provides", "origin", "reason")


@click.command()
@shape_options(rows=False)
def plugins(shape: Shape) -> int:
    r"""List the plugins; exit 1 if one cannot be used.

    \b
    Example:
      gigadeck plugins --json | jq -r '.rows[] | select(.state != "ok")'
    """
    from console.wiring import plugin_host

    host = plugin_host()
    rows = [
        {
            "id": info.id,
            "title": info.title,
            "version": info.version,
            "state": info.state,
            "provides": list(info.provides),
            "origin": info.origin,
            "reason": info.reason,
        }
        for info in host.plugins
    ]
    from console.cli.simple import write_simple

    write_simple(rows, FIELDS, shape, name="plugins")
    return Exit.FAILED if any(row["state"] == "failed" for row in rows) else Exit.DONE
