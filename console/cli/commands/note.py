"""`gigadeck note`: what somebody wrote on a node, a GPU, a job, an incident or a place, for all who look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot
    from console.wiring import Fleet

FIELDS = ("id", "site", "subject", "author", "at", "text")
TEXT = 4000


@click.command()
@click.argument("words", nargs=-1, metavar="[OBJECT] [TEXT]")
@click.option("--list", "as_list", is_flag=True, help="list the notes: all, or those on OBJECT")
@click.option("--drop", default="", metavar="ID", help="drop the note with this id")
@shape_options(rows=False)
@fleet_options()
def note(words: tuple[str, ...], as_list: bool, drop: str, shape: Shape, choice: Choice) -> int:
    r"""Write a note on an object: an address, NODE, SITE:NODE, a GPU's UUID, a site, job:ID or incident:ID.

    \b
    Examples:
      gigadeck note n0653 "PSU 2 ordered, ticket 4711"
      gigadeck note --list muc1/h2/r017/n0653
      gigadeck note --list --json
    """
    if drop and (words or as_list):
        raise click.UsageError("--drop takes the id of a note and nothing else")
    if not drop and (len(words) > 1 if as_list else len(words) < 2):
        raise click.UsageError("write gigadeck note OBJECT TEXT, or gigadeck note --list [OBJECT]")
    from console.cli.deeds import remembered
    from console.cli.opening import opened

    with opened(choice, plugins=False, memory=True) as fleet:
        snapshot = remembered(fleet, choice)
        if as_list:
            return _write_notes(snapshot, words[0] if words else "", shape)
        return _keep(fleet, snapshot, words, drop, choice)


def _keep(fleet: Fleet, snapshot: Snapshot, words: tuple[str, ...], drop: str, choice: Choice) -> int:
    from console.cli.deeds import deed, keep, tell
    from console.core.note_targets import note_subject
    from console.model.errors import TargetError
    from console.model.incidents import DeedKind

    if drop:
        found = next((each for each in snapshot.notes if each.id == drop), None)
        if found is None:
            raise TargetError(f"{drop[:80]}: no such note; gigadeck note --list has their ids")
        wanted = deed(DeedKind.DROP_NOTE, found.site, found.id)
    else:
        site, subject = note_subject(snapshot, words[0])
        wanted = deed(DeedKind.NOTE, site, subject, " ".join(words[1:]))
    return tell([keep(fleet, wanted, choice.timeout_s)])


def _write_notes(snapshot: Snapshot, target: str, shape: Shape) -> int:
    from console.cli.opening import is_partial
    from console.cli.output import exit_code, write_rows
    from console.core.note_targets import note_subject
    from console.present.safe import clean

    about = note_subject(snapshot, target) if target else None
    rows: list[dict[str, Any]] = [
        {
            "id": each.id,
            "site": each.site,
            "subject": clean(each.subject, TEXT),
            "author": clean(each.author, TEXT),
            "at": round(each.at, 3),
            "text": clean(each.text, TEXT),
        }
        for each in snapshot.notes
        if about is None or (each.site, each.subject) == about
    ]
    partial = is_partial(snapshot)
    if shape.format != "table":
        return write_rows(rows, shape, name="notes", at=snapshot.at, partial=partial, total=len(rows), fields=FIELDS)
    _write_table(rows, shape)
    return exit_code(partial, shape)


def _write_table(rows: list[dict[str, Any]], shape: Shape) -> None:
    from console.cli.tables import write_columns
    from console.model.views import Table, TableColumn
    from console.present.formats import format_value

    columns = tuple(
        TableColumn(name, name, [format_value(row[name], "datetime") if name == "at" else row[name] for row in rows])
        for name in ("subject", "at", "author", "text", "id")
    )
    write_columns(Table(columns, [row["id"] for row in rows], total=len(rows), empty="nobody wrote a note"), shape)
