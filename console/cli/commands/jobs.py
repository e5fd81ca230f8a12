"""`gigadeck jobs`: the queue of every site, as a table or for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot
    from console.wiring import Fleet

_FREE = ("id", "nodes", "gpus", "free_nodes", "free_gpus", "whole", "reservation", "drain_at", "free_at", "why")
_TABLE = (
    "id",
    "name",
    "user",
    "state",
    "gpus",
    "nodes",
    "tasks",
    "time_s",
    "limit_s",
    "wait_s",
    "gpu_hours",
    "slowest_node",
    "slowdown_pct",
    "lost_gpu_hours",
    "ettr_ratio",
    "reason",
)


@click.command()
@click.option("--within", default="", metavar="PATH", help="only jobs with a node or GPU at this address")
@click.option("--free", is_flag=True, help="free capacity instead: blocks with a free node, or that drain")
@click.option("--by", default="nvlink", show_default=True, metavar="DOMAIN", help="what a block is, with --free")
@shape_options()
@fleet_options()
def jobs(within: str, free: bool, by: str, shape: Shape, choice: Choice) -> int:
    r"""Jobs of every site: running first, then waiting, then those that have ended.

    \b
    Examples:
      gigadeck jobs --where 'state == "PENDING" and wait_s > 3600' --sort -gpus
      gigadeck jobs --where 'user == "ada"' --json
      gigadeck jobs --where 'straggler == 1' --fields id,slowest_node,slowest_by,slowdown_pct
      gigadeck jobs --within muc1/h2/r017 --format id
      gigadeck jobs --free --limit 20
    """
    from console.cli.opening import opened

    if free and (shape.where or shape.after):
        raise click.UsageError("--free takes no --where and no --after: gigadeck status --by nvlink has free_gpus")
    with opened(choice, plugins=False) as fleet:
        if free:
            return write_free(_with_jobs(fleet, choice), shape, by=by, within=within)
        return write_jobs(_with_jobs(fleet, choice), shape, within=within)


def _with_jobs(fleet: Fleet, choice: Choice) -> Snapshot:
    """Return the first snapshot in which every source has spoken; raises NoDataError where no site has told of jobs."""
    import contextlib

    from console.cli.opening import every_source_spoke, words_of
    from console.model.errors import NoDataError

    latest = None
    with contextlib.suppress(NoDataError):
        latest = fleet.session.wait(every_source_spoke, choice.timeout_s)
    latest = latest or fleet.session.latest()
    oldest = 0.0 if latest is None or choice.max_age_s is None else latest.at - choice.max_age_s
    if latest is not None and any(site.jobs.at and site.jobs.at >= oldest for site in latest.frame.sites):
        return latest
    said = words_of(latest) if latest else ""
    raise NoDataError(f"no site tells of jobs{f':{said}' if said else ' (no source of this fleet knows any)'}")


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


def write_free(snapshot: Snapshot, shape: Shape, *, by: str, within: str = "") -> int:
    """Write the free capacity of a snapshot and return the exit code."""
    from console.cli.opening import is_partial
    from console.cli.output import exit_code, write_rows
    from console.core.free_rows import select_free

    fields = shape.fields or (_FREE if shape.format == "table" else ())
    rows = select_free(snapshot, by=by, within=within, sort=shape.sort, limit=shape.limit, fields=fields)
    partial = rows.partial or is_partial(snapshot)
    if shape.format == "table":
        from console.cli.tables import write_table

        write_table(rows, snapshot, shape, partial=partial)
        return exit_code(partial, shape)
    return write_rows(
        rows.to_dicts(), shape, name="free", at=snapshot.at, partial=partial, total=len(rows), fields=list(rows.columns)
    )
