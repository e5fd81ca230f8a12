"""`gigadeck demo`: the console on the built-in emulator."""

from __future__ import annotations

from dataclasses import replace

import click

from console.cli.options import Choice, Link, fleet_options, link_options


@click.command()
@click.option("--gpus", type=click.IntRange(1, 10_000_000), default=400_000, show_default=True)
@click.option("--sites", "site_count", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="the same seed, the same fleet")
@click.option("--scenario", default="default", show_default=True, help="default, calm, cdu, blackout, storm, lies")
@fleet_options()
@link_options()
def demo(gpus: int, site_count: int, seed: int, scenario: str, choice: Choice, link: Link) -> int:
    r"""The console on the emulator; without a terminal it prints one status and exits 0.

    \b
    Examples:
      gigadeck demo
      gigadeck demo --gpus 1000000 --sites 10
      gigadeck demo --scenario cdu
    """
    from console.cli.commands.console import open_console
    from console.wiring import Demo

    chosen = Demo(gpus=gpus, sites=site_count, seed=seed, scenario=scenario)
    return open_console(replace(choice, fleet="demo"), chosen, link=link)
