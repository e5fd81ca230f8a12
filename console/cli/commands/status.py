"""`gigadeck status`: one snapshot, as a table or for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from console.core.query import Rows
    from console.model.snapshot import Snapshot

LEVELS = ("fleet", "site", "hall", "rack", "node", "gpu")
_CHUNK = 5000
# What a table shows unless --fields says otherwise; the other formats give every field.
_ABOVE = (
    "id", "gpus", "gpus_reporting", "nodes", "age_s", "source", "alerts", "jobs",
    "util_pct", "temp_c_max", "temp_c_avg", "gpu_power_w_sum", "it_power_w", "pue",
)  # fmt: skip
_GPU = ("id", "uuid", "job", "age_s", "source", "util_pct", "temp_c", "mem_temp_c", "power_w", "sm_clock_mhz", "xid")


@click.command()
@click.option("--level", type=click.Choice(LEVELS), default="site", show_default=True)
@click.option("--by", default="", metavar="DOMAIN", help="rows per domain instead: cdu, nvlink, feed, ...")
@shape_options()
@fleet_options()
def status(level: str, by: str, shape: Shape, choice: Choice) -> int:
    r"""One snapshot of the fleet.

    \b
    Examples:
      gigadeck status --fleet demo:400000 --level site --json
      gigadeck status --level node --where 'temp_c_max > 85' --format id | gigadeck fold -
      gigadeck status --by cdu --sort -temp_c_max --limit 10
    """
    from console.cli.interpreter import keep_to_the_end, uncollected
    from console.cli.opening import opened, settled

    # No plugin says anything of a status row: reading their manifests would be half of the start.
    with uncollected(), opened(choice, plugins=False) as fleet:
        keep_to_the_end(fleet)
        load_writers(shape)
        snapshot = settled(fleet, choice)
        return write_status(snapshot, shape, level=level, by=by, max_age_s=choice.max_age_s)


def load_writers(shape: Shape) -> None:
    """Import what writes the answer, while the sources are being read."""
    import console.cli.output
    import console.core.query

    if shape.format == "table":
        import console.cli.tables  # noqa: F401 - loaded for later


def write_status(snapshot: Snapshot, shape: Shape, *, level: str, by: str, max_age_s: float | None = None) -> int:
    """Write the rows of one level of a snapshot and return the exit code."""
    from console.cli.opening import is_partial
    from console.core.query import select
    from console.model.levels import Level

    rows = select(
        snapshot,
        Level(level),
        where=shape.where or None,
        by=by,
        sort=shape.sort,
        limit=shape.limit,
        after=shape.after,
        fields=shape.fields or _table_fields(shape, level),
    )
    too_old = max_age_s is not None and any(snapshot.at - site.data_at > max_age_s for site in snapshot.frame.sites)
    return _write(rows, snapshot, shape, partial=rows.partial or is_partial(snapshot) or too_old)


def _table_fields(shape: Shape, level: str) -> tuple[str, ...]:
    if shape.format != "table":
        return ()
    return _GPU if level == "gpu" else _ABOVE


def _write(rows: Rows, snapshot: Snapshot, shape: Shape, *, partial: bool) -> int:
    from console.cli.output import exit_code, write_rows

    if shape.format == "table":
        from console.cli.tables import write_table

        write_table(rows, snapshot, shape, partial=partial)
        return exit_code(partial, shape)
    dicts = (row for start in range(0, len(rows.ids), _CHUNK) for row in rows.to_dicts(start, start + _CHUNK))
    return write_rows(
        dicts, shape, name="status", at=snapshot.at, partial=partial, total=len(rows.ids), fields=list(rows.columns)
    )
