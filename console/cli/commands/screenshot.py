"""`gigadeck screenshot`: a panel as an SVG picture, drawn without a terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from console.cli.options import Choice, fleet_options

SIZE = re.compile(r"(\d{2,3})x(\d{2,3})")


def _size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    found = SIZE.fullmatch(value)
    if found is None or not (20 <= int(found[1]) <= 500 and 5 <= int(found[2]) <= 200):
        raise click.BadParameter("write WIDTHxHEIGHT between 20x5 and 500x200, such as 80x24", ctx, param)
    return int(found[1]), int(found[2])


@click.command()
@click.option("--panel", default="fleet", show_default=True, metavar="ID")
@click.option("--place", default="", metavar="PATH", help="an address such as muc1/h2/r017")
@click.option("--metric", default="temp_c", show_default=True, help="what heat maps show")
@click.option("--by", default="", metavar="DOMAIN", help="group by a domain kind: cdu, nvlink, ...")
@click.option("--theme", "theme_name", default="dark", show_default=True)
@click.option("--size", default="120x40", show_default=True, callback=_size, metavar="WxH")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="F.svg")
@fleet_options()
def screenshot(out: Path, choice: Choice, **wanted: Any) -> None:
    r"""Draw a panel as an SVG picture.

    \b
    Example:
      gigadeck screenshot --fleet demo --panel drilldown --place muc1 --size 200x50 --out muc1.svg
    """
    from console.cli.opening import opened, settled
    from console.cli.picture import draw

    with opened(choice, memory=True) as fleet:
        settled(fleet, choice)
        svg = draw(fleet, timeout_s=choice.timeout_s, **wanted)
    try:
        out.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from error
