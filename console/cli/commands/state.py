"""`gigadeck state`: what the memory holds, backups of it, and bringing it up to date."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.exits import Exit
from console.cli.group import keep_lines
from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.state.store import Store

_INFO_FIELDS = ("id", "rows", "bytes", "oldest_at", "newest_at")
_PORTABLE = (".jsonl", ".jsonl.gz")
_state_option = click.option(
    "--state", "url", default="", metavar="URL", help="sqlite:////path or postgresql://user@host/name"
)


@click.group()
def state() -> None:
    r"""Care for the memory: incidents, acknowledgements, notes, views, plans, the journal's index, tokens.

    It is the database that --state names, else the fleet's (`state:`), else this user's own SQLite file of the fleet.

    \b
    Examples:
      gigadeck state info --fleet fleet.yaml
      gigadeck state backup state.jsonl.gz
      gigadeck state restore state.jsonl.gz --state postgresql://gigadeck@db/gigadeck
      gigadeck state migrate
    """


def _command(name: str, words: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command of the group; the lines of its examples stay lines."""

    def made(function: Callable[..., Any]) -> click.Command:
        command = state.command(name, short_help=words)(function)
        keep_lines(command)
        return command

    return made


@_command("info", "its rows and sizes by table, its schema")
@_state_option
@shape_options(rows=False)
@fleet_options()
def info(url: str, shape: Shape, choice: Choice) -> int:
    r"""Print what the memory holds: its rows and sizes by table, and its schema.

    \b
    Examples:
      gigadeck state info
      gigadeck state info --state sqlite:////var/lib/gigadeck/memory.db --json | jq '.rows[] | {id, rows}'
    """
    from console.cli.memory import open_memory
    from console.cli.simple import write_simple
    from console.state import upkeep

    with contextlib.closing(open_memory(choice, url, read_only=True)) as store:
        found = upkeep.info(store)
    table = shape.format == "table"
    rows = [
        {
            "id": each.name,
            "rows": each.rows,
            "bytes": each.bytes or None,
            "oldest_at": _time(each.oldest_at, words=table),
            "newest_at": _time(each.newest_at, words=table),
        }
        for each in found.tables
    ]
    words = f"{found.where}: {found.kind} {found.version}, {found.bytes:,} bytes, schema {found.schema}"
    behind = "" if found.schema == found.newest_schema else f" (this gigadeck needs {found.newest_schema})"
    click.echo(words + behind, err=True)
    write_simple(rows, _INFO_FIELDS, shape, name="state")
    return Exit.DONE


def _time(at: float, *, words: bool) -> Any:
    if not at:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if words else round(at, 3)


@_command("backup", "write it to a file while it is in use")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="replace the file if it is there")
@_state_option
@shape_options(rows=False)
@fleet_options()
def backup(file: Path, overwrite: bool, url: str, shape: Shape, choice: Choice) -> int:
    r"""Write the memory to a file while it is in use.

    FILE.jsonl or FILE.jsonl.gz holds it as JSON lines, which either database takes back; any other name is a copy
    of the SQLite file. Tokens are in it as hashes only. PostgreSQL's own pg_dump does as well: the command is printed.

    \b
    Examples:
      gigadeck state backup /var/backups/gigadeck.db
      gigadeck state backup /var/backups/gigadeck.jsonl.gz --state postgresql://gigadeck@db/gigadeck
    """
    from console.cli.memory import open_memory
    from console.model.errors import RefusedError

    if file.exists() and not overwrite:
        raise RefusedError(f"{file} is there already; choose another name, or say --overwrite")
    with contextlib.closing(open_memory(choice, url, read_only=True)) as store:
        row = _backed_up(store, file)
    return _tell(row, shape)


def _backed_up(store: Store, file: Path) -> dict[str, Any]:
    from console.model.errors import UsageError
    from console.state import portable, upkeep

    if file.name.endswith(_PORTABLE):
        rows = portable.export(store, file, at=time.time())
        return {"id": str(file), "form": "jsonl", "rows": rows, "bytes": file.stat().st_size, "schema": store.schema}
    if store.address.path is None:
        command = upkeep.dump_command(store, file)
        raise UsageError(f"PostgreSQL is no file: name FILE.jsonl or FILE.jsonl.gz, or run: {command}")
    size = upkeep.backup(store, file)
    return {"id": str(file), "form": "sqlite", "rows": None, "bytes": size, "schema": store.schema}


@_command("restore", "put a backup into an empty one")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="what the memory holds now is gone then")
@_state_option
@shape_options(rows=False)
@fleet_options()
def restore(file: Path, replace: bool, url: str, shape: Shape, choice: Choice) -> int:
    r"""Put a backup into an empty memory: all of it or nothing.

    Takes JSON lines and copies of a SQLite file, of this version or older ones; so it also moves a memory from SQLite
    to PostgreSQL. No `gigadeck serve` may lead meanwhile.

    \b
    Examples:
      gigadeck state restore gigadeck.jsonl.gz
      gigadeck state restore gigadeck.db --state postgresql://gigadeck@db/gigadeck
    """
    from console.cli.memory import open_memory
    from console.state import moving

    with contextlib.closing(open_memory(choice, url)) as store:
        rows = moving.restore_any(store, file, replace=replace)
        row = {"id": str(file), "form": "into " + store.where, "rows": rows, "bytes": None, "schema": store.schema}
    return _tell(row, shape)


@_command("migrate", "bring the tables up to date")
@_state_option
@shape_options(rows=False)
@fleet_options()
def migrate(url: str, shape: Shape, choice: Choice) -> int:
    r"""Bring the tables up to date; `gigadeck serve` does this by itself when it leads.

    Those that still run the older version go on until they are restarted.

    \b
    Example:
      gigadeck state migrate --state postgresql://gigadeck@db/gigadeck
    """
    from console.cli.memory import open_memory
    from console.cli.simple import write_simple

    with contextlib.closing(open_memory(choice, url)) as store:
        done = store.migrated + (store.migrate() if store.behind else ())
        words = f"{store.where}: schema {store.schema}" + ("" if done else ", nothing to do")
    click.echo(words, err=True)
    write_simple(
        [{"id": step.number, "title": step.title} for step in done], ("id", "title"), shape, name="state-migrate"
    )
    return Exit.DONE


def _tell(row: dict[str, Any], shape: Shape) -> int:
    from console.cli.simple import write_simple

    write_simple([row], tuple(row), shape, name="state-file")
    return Exit.DONE
