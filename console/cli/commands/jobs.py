"""`gigadeck jobs`: the queue of every site, as a table or for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot
    from console.wiring import Fleet

_TABLE = ("id", "name", "user", "state", "gpus", "nodes", "tasks", "time_s", "limit_s", "wait_s", "gpu_hours", "reason")


@click.command()
@click.option("--within", default="", metavar="PATH", help="only jobs with a node or GPU at this address")
@shape_options()
@fleet_options()
def jobs(within: str, shape: Shape, choice: Choice) -> int:
    r"""Jobs of every site: running first, then waiting, then those that have ended.

    \b
    Examples:
      gigadeck jobs --where 'state == "PENDING" and wait_s > 3600' --sort -gpus
      gigadeck jobs --where 'user == "ada"' --json
      gigadeck jobs --within muc1/h2/r017 --format id
    """
    from console.cli.opening import opened

    with opened(choice, plugins=False) as fleet:
        return write_jobs(_with_jobs(fleet, choice), shape, within=within)


def _with_jobs(fleet: Fleet, choice: Choice) -> Snapshot:
    """Return the first snapshot in which every source has spoken; raises NoDataError where no site has told of jobs."""
    import contextlib

    from console.cli.opening import every_source_spoke
    from console.model.errors import NoDataError

    latest = None
    with contextlib.suppress(NoDataError):
        latest = fleet.session.wait(every_source_spoke, choice.timeout_s)
    latest = latest or fleet.session.latest()
    oldest = 0.0 if latest is None or choice.max_age_s is None else latest.at - choice.max_age_s
    if latest is not None and any(site.jobs.at and site.jobs.at >= oldest for site in latest.frame.sites):
        return latest
    said = "; ".join(source.last_error for source in latest.sources if source.last_error) if latest else ""
    raise NoDataError(f"no site tells of jobs{f': {said}' if said else ' (no source of this fleet knows any)'}")


def write_jobs(snapshot: Snapshot, shape: Shape, *, within: str = "") -> int:
    """Write the jobs of a snapshot and return the exit code."""
    from console.cli.opening import is_partial
    from console.cli.output import exit_code, write_rows
    from console.core.job_query import select_jobs

    fields = shape.fields or (_TABLE if shape.format == "table" else ())
    rows = select_jobs(
        snapshot, within=within, where=shape.where, sort=shape.sort, limit=shape.limit, after=shape.after, fields=fields
    )
    partial = is_partial(snapshot)
    if shape.format == "table":
        from console.cli.tables import write_table

        write_table(rows, snapshot, shape, partial=partial)
        return exit_code(partial, shape)
    return write_rows(
        rows.to_dicts(), shape, name="jobs", at=snapshot.at, partial=partial, total=len(rows), fields=list(rows.columns)
    )
