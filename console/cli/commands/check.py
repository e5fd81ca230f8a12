"""`gigadeck check`: the fleet's checks, for cron and monitoring systems (Nagios exit codes)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.events import CheckResult

SERVE = "serve"
FORMATS = ("table", "json", "ndjson", "csv", "id", "nagios", "junit", "prometheus")


@click.command()
@click.option("--only", "only", multiple=True, metavar="NAME", help="only this check (repeatable)")
@shape_options(FORMATS, rows=False)
@fleet_options()
def check(only: tuple[str, ...], shape: Shape, choice: Choice) -> int:
    r"""Run the fleet's checks: exit 0 ok, 1 warning, 2 critical, 3 unknown or anything that went wrong.

    \b
    Examples:
      gigadeck check --fleet demo --format nagios
      gigadeck check --only hot --max-age 2m || page-someone
      gigadeck check --only disagreements --json
      gigadeck check --only serve --format nagios
    """
    if SERVE in only:
        return _serves(only, shape, choice)
    from console.cli.check_formats import nagios_code, write_checks
    from console.cli.opening import is_partial, opened, settled

    with opened(choice) as fleet:
        snapshot = settled(fleet, choice)
        results = _chosen(snapshot.checks, only)
        too_old = choice.max_age_s is not None and any(
            snapshot.at - site.data_at > choice.max_age_s for site in snapshot.frame.sites
        )
        write_checks(results, shape, at=snapshot.at, partial=is_partial(snapshot), disagreements=snapshot.disagreements)
    return nagios_code(results, too_old=too_old)


def _serves(only: tuple[str, ...], shape: Shape, choice: Choice) -> int:
    """Ask the sites' serves how they are; no engine is started for that."""
    import time

    from console.cli.check_formats import nagios_code, write_checks
    from console.config.fleet import load_fleet
    from console.serve.check import serve_check
    from console.wiring import chosen_sites, demo_of, find_fleet

    if set(only) != {SERVE}:
        raise click.UsageError(f"--only {SERVE} asks the serves themselves; run the other checks by themselves")
    if choice.fleet and demo_of(choice.fleet) is not None:
        raise click.UsageError("the demo has no serve; name a fleet file: --fleet PATH")
    config = load_fleet(find_fleet(choice.fleet))
    result = serve_check(config, chosen_sites(config, choice.sites))
    write_checks([result], shape, at=time.time(), partial=False)
    return nagios_code([result])


def _chosen(results: Sequence[CheckResult], only: tuple[str, ...]) -> list[CheckResult]:
    unknown = set(only) - {result.name for result in results}
    if unknown:
        known = ", ".join(sorted({SERVE, *(result.name for result in results)}))
        raise click.UsageError(f"no check named {', '.join(sorted(unknown))}; there are: {known}")
    return [result for result in results if not only or result.name in only]
