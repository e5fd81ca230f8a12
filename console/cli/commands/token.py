"""`gigadeck token`: the bearer tokens of a serve, kept as hashes in its memory."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from console.cli.group import keep_lines
from console.cli.options import Choice, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from console.state.store import Store
    from console.state.tokens import Token

ROLES = ("viewer", "operator", "approver")
LONGEST_DAYS = 3660
DAY_S = 86_400.0
_FIELDS = ("id", "name", "role", "state", "created_at", "created_by", "expires_at", "used_at")
_state_option = click.option(
    "--state", "url", default="", metavar="URL", help="sqlite:////path or postgresql://user@host/name"
)


@click.group()
def token() -> None:
    r"""Bearer tokens of `gigadeck serve`, for scripts and for consoles that cannot come by its socket.

    They are in the database that --state names, else the fleet's (`state:`), else this user's own SQLite file: run
    this as the user that serves. A serve takes them in, and forgets revoked ones, within a few seconds.

    \b
    Examples:
      gigadeck token add ci --role viewer --days 90
      gigadeck token list
      gigadeck token revoke ci
    """


def _command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command of the group; the lines of its examples stay lines."""

    def made(function: Callable[..., Any]) -> click.Command:
        command = token.command(name)(function)
        keep_lines(command)
        return command

    return made


@_command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="what it may do")
@click.option("--days", type=click.IntRange(1, LONGEST_DAYS), default=90, show_default=True, help="how long it holds")
@_state_option
@fleet_options()
def add(name: str, role: str, days: int, url: str, choice: Choice) -> None:
    r"""Make a token and print it, this once: only its hash is kept.

    \b
    Example:
      gigadeck token add ci --role operator --days 30 > ~/.config/gigadeck/ci.token
    """
    from console.config.person import author
    from console.config.text_fields import NAME
    from console.state.tokens import create_token

    if not NAME.fullmatch(name):
        raise click.UsageError(f"{name[:80]!r} is no name: letters, digits, '.', '-' and '_', at most 63")
    now = time.time()
    with _opened(choice, url) as store:
        made, secret = create_token(store, name, role, now=now, expires_at=now + days * DAY_S, created_by=author())
    click.echo(secret)
    click.echo(f"{made.name} is {made.role} until {_day(made.expires_at)}; it is not shown again", err=True)


@_command("list")
@_state_option
@shape_options(rows=False)
@fleet_options()
def list_(url: str, shape: Shape, choice: Choice) -> None:
    r"""List the tokens, those that are no longer valid too; no secret is kept, so none is shown.

    \b
    Example:
      gigadeck token list --json
    """
    from console.state.tokens import list_tokens

    now = time.time()
    with _opened(choice, url, read_only=True) as store:
        found = list_tokens(store)
    _write([_row(each, now) for each in found], shape, now)


@_command("revoke")
@click.argument("name")
@_state_option
@fleet_options()
def revoke(name: str, url: str, choice: Choice) -> None:
    r"""Make a token worth nothing, by its name or id.

    \b
    Example:
      gigadeck token revoke ci
    """
    from console.model.errors import TargetError
    from console.state.tokens import revoke_token

    with _opened(choice, url) as store:
        gone = revoke_token(store, name, time.time())
    if gone is None:
        raise TargetError(f"no valid token named {name[:80]!r}; gigadeck token list shows them")
    click.echo(f"{gone.name} ({gone.id}) is revoked", err=True)


@contextlib.contextmanager
def _opened(choice: Choice, url: str, *, read_only: bool = False) -> Iterator[Store]:
    from console.cli.memory import memory_url
    from console.state.store import open_store

    place, base = memory_url(choice, url)
    store = open_store(place, realm="", base=base, read_only=read_only, alone=False)
    try:
        yield store
    finally:
        store.close()


def _row(each: Token, now: float) -> dict[str, object]:
    times = {name: round(getattr(each, name), 3) or None for name in ("created_at", "expires_at", "used_at")}
    state = each.state(now)
    return {"id": each.id, "name": each.name, "role": each.role, "state": state, "created_by": each.created_by, **times}


def _write(rows: list[dict[str, object]], shape: Shape, now: float) -> None:
    if shape.format != "table":
        from console.cli.output import write_rows

        write_rows(rows, shape, name="tokens", at=now, partial=False, total=len(rows), fields=_FIELDS)
        return
    from console.cli.tables import write_columns
    from console.model.views import Table, TableColumn

    shown = {
        "name": "TOKEN",
        "role": "ROLE",
        "state": "STATE",
        "expires_at": "UNTIL",
        "used_at": "USED",
        "created_by": "BY",
        "id": "ID",
    }
    columns = tuple(
        TableColumn(field, title, [_text(field, row[field]) for row in rows]) for field, title in shown.items()
    )
    write_columns(Table(columns, [str(row["id"]) for row in rows]), shape)


def _text(field: str, value: object) -> str:
    if field.endswith("_at"):
        return _day(value) if isinstance(value, float) else "-"
    return str(value)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")
