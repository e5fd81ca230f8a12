"""`gigadeck doctor`: configuration, reachability, credentials, clock skew, sweep cost; what to do about each."""

from __future__ import annotations

import asyncio
import contextlib

import click

from console.cli.exits import Exit
from console.cli.options import Choice, Shape, fleet_options, shape_options


@click.command()
@shape_options(rows=False)
@fleet_options()
def doctor(shape: Shape, choice: Choice) -> int:
    r"""Look at everything that could be wrong, and say what to do; exit 1 if anything failed.

    \b
    Examples:
      gigadeck doctor --fleet fleet.yaml --timeout 30s
      gigadeck doctor --json | jq -r '.rows[] | select(.state == "failed") | .advice'
    """
    from console.cli.deeds import remembered
    from console.cli.diagnosis import FIELDS, costs, diagnose
    from console.cli.opening import opened
    from console.cli.simple import write_simple
    from console.model.errors import NoDataError

    with opened(choice, memory=True) as fleet:
        with contextlib.suppress(NoDataError):
            remembered(fleet, choice)
        snapshot = fleet.session.latest()
        if snapshot is None:
            raise NoDataError(f"the engine made no snapshot within {choice.timeout_s:g} s")
        findings = diagnose(fleet, snapshot)
    findings += asyncio.run(costs(fleet, snapshot, choice.timeout_s))
    write_simple([finding.as_row() for finding in findings], FIELDS, shape, name="doctor")
    return Exit.FAILED if any(finding.state == "failed" for finding in findings) else Exit.DONE
