"""`gigadeck alerts`: incidents and alerts of every site, who has taken them on, and how to do so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.model.incidents import DeedKind
    from console.model.snapshot import Snapshot

WHAT = ("incidents", "alerts")
_TABLE = ("severity", "state", "acknowledged_by", "age_s", "path", "text", "gpus", "jobs", "id")
_TITLES = {"acknowledged_by": "ack", "age_s": "since", "path": "where", "text": "why", "gpus": "GPUs"}
_RIGHT = ("age_s", "gpus", "matches", "returns")
INCIDENT = "incident:"
TEXT = 400


@click.group(invoke_without_command=True)
@click.option("--what", default="incidents", show_default=True, help="incidents, alerts of other systems, or both")
@click.option("--resolved", is_flag=True, help="also what was over lately")
@shape_options()
@fleet_options(root=True)
@click.pass_context
def alerts(context: click.Context, what: str, resolved: bool, shape: Shape, choice: Choice) -> int | None:
    r"""Incidents of every site, worst first, with who has taken them on; `ack` and `unack` do that.

    \b
    Examples:
      gigadeck alerts --where 'severity == "critical" and missing(acknowledged_by)'
      gigadeck alerts --what incidents,alerts --json
      gigadeck alerts ack muc1-1a2b3c4d --note "replacing the CDU pump"
    """
    if context.invoked_subcommand is not None:
        return None
    kinds = tuple(each.strip() for each in what.split(",") if each.strip())
    if not kinds or set(kinds) - set(WHAT):
        raise click.UsageError(f"--what takes any of {', '.join(WHAT)}")
    from console.cli.deeds import remembered
    from console.cli.opening import opened, require_data

    with opened(choice, memory=True) as fleet:
        snapshot = remembered(fleet, choice)
        if not snapshot.incidents:
            require_data(snapshot, choice)
        return write_alerts(snapshot, shape, kinds=kinds, resolved=resolved)


def write_alerts(snapshot: Snapshot, shape: Shape, *, kinds: Sequence[str] = WHAT[:1], resolved: bool = False) -> int:
    """Write the incidents (or alerts) of a snapshot and return the exit code."""
    from console.cli.opening import is_partial
    from console.cli.output import exit_code, write_rows
    from console.core.incident_query import SHOWN, select_incidents

    table = shape.format == "table"
    fields = shape.fields or (_TABLE if table else SHOWN)
    rows = select_incidents(
        snapshot,
        kinds=kinds,
        resolved=resolved,
        where=shape.where,
        sort=shape.sort,
        limit=shape.limit,
        after=shape.after,
        fields=fields,
    )
    partial = is_partial(snapshot)
    if table:
        _write_table(rows, fields, shape)
        return exit_code(partial, shape)
    safe = [{name: _safe(value) for name, value in row.items()} for row in rows]
    return write_rows(safe, shape, name="alerts", at=snapshot.at, partial=partial, total=len(rows), fields=fields)


def _safe(value: Any) -> Any:
    """Return a value whose texts hold nothing that a terminal would take for an order."""
    from console.present.safe import clean

    if isinstance(value, list):
        return [clean(str(each), TEXT) for each in value]
    return clean(value, TEXT) if isinstance(value, str) else value


def _write_table(rows: Sequence[dict[str, Any]], fields: Sequence[str], shape: Shape) -> None:
    from console.cli.tables import write_columns
    from console.model.views import Align, Table, TableColumn

    columns = tuple(
        TableColumn(
            name,
            _TITLES.get(name, name),
            [_cell(name, row) for row in rows],
            align=Align.RIGHT if name in _RIGHT else Align.LEFT,
        )
        for name in fields
    )
    write_columns(Table(columns, [row["id"] for row in rows], total=len(rows), empty="no incident is open"), shape)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    from console.present.formats import format_value

    value = row[name]
    if value is None or value == []:
        return "-"
    if name == "age_s":
        return format_value(value, "age")
    if name == "since" or name.endswith("_at"):
        return format_value(value, "datetime")
    if isinstance(value, list):
        return ", ".join(str(each) for each in _safe(value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(_safe(value))


@alerts.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--note", "text", default="", help="what is being done about it")
@click.option("--json", "as_json", is_flag=True, help="what it came to as JSON")
@fleet_options()
def ack(ids: tuple[str, ...], text: str, as_json: bool, choice: Choice) -> int:
    r"""Take incidents on: they stay in the list, quieter, with your name; one that becomes worse fires again.

    \b
    Examples:
      gigadeck alerts ack muc1-1a2b3c4d bcn1-99aa0011 --note "on it"
      gigadeck alerts --where 'key == "check:silent"' --format id | xargs gigadeck alerts ack
    """
    from console.model.incidents import DeedKind

    return _keep_all(DeedKind.ACKNOWLEDGE, ids, text, choice, as_json=as_json)


@alerts.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="what it came to as JSON")
@fleet_options()
def unack(ids: tuple[str, ...], as_json: bool, choice: Choice) -> int:
    r"""Take acknowledgements back: the incidents fire again.

    \b
    Example:
      gigadeck alerts unack muc1-1a2b3c4d
    """
    from console.model.incidents import DeedKind

    return _keep_all(DeedKind.UNACKNOWLEDGE, ids, "", choice, as_json=as_json)


def _keep_all(kind: DeedKind, ids: Sequence[str], text: str, choice: Choice, *, as_json: bool) -> int:
    from console.cli.deeds import deed, keep, remembered, tell
    from console.cli.opening import opened

    with opened(choice, memory=True) as fleet:
        snapshot = remembered(fleet, choice)
        sites = {each.id: each.site for each in snapshot.incidents}
        named = [each.removeprefix(INCIDENT) for each in ids]
        deeds = [deed(kind, sites.get(id) or _site_of(id), id, text) for id in dict.fromkeys(named)]
        return tell([keep(fleet, each, choice.timeout_s) for each in deeds], as_json=as_json, at=snapshot.at)


def _site_of(id: str) -> str:
    """Return the site that an incident's id names, whether we know the incident or not."""
    return id.rpartition("-")[0]
