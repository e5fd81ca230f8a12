"""The steps by which the tables came to be what they are: numbered, applied in order, each in a transaction.

A step is never changed once it was released. It only adds, with defaults, so that a `serve` that still runs the older
version (which looked at the schema when it started) goes on until it is restarted; then it is told NewerSchema.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from console.model.errors import NewerSchema
from console.model.values import dataclass
from console.state.address import POSTGRESQL, SQLITE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from console.state.address import Address

_ROWS_AT_ONCE = 500
SCHEMA_LOCK = 0x67696461  # 'gida': one alone changes tables
_TYPES = {
    SQLITE: {"{text}": "TEXT", "{int}": "BIGINT", "{float}": "DOUBLE", "{bytes}": "BLOB"},
    POSTGRESQL: {"{text}": "TEXT", "{int}": "BIGINT", "{float}": "DOUBLE PRECISION", "{bytes}": "BYTEA"},
}


@dataclass(frozen=True)
class Step:
    """One step: what it does in a few words, its statements, and what is to be filled in after them."""

    number: int
    title: str
    statements: tuple[str, ...]
    fill: Callable[[Connection], None] | None = None


def _table(name: str, keys: Sequence[str], columns: Sequence[str]) -> str:
    """Return a statement; columns are `name type`, with a default of nothing unless they are keys."""
    zero = {"{text}": "''", "{int}": "0", "{float}": "0"}
    lines = []
    for column in (*keys, *columns):
        kind = column.split()[1]
        default = "" if column in keys or kind not in zero else f" DEFAULT {zero[kind]}"
        lines.append(f"{column} NOT NULL{default}")
    names = ", ".join(key.split()[0] for key in keys)
    return f"CREATE TABLE {name} ({', '.join(lines)}, PRIMARY KEY ({names}))"


def _columns(kinds: str) -> tuple[str, ...]:
    """Return `a:t b:i` as columns: t text, i integer, f a time or another float, b bytes."""
    names = {"t": "{text}", "i": "{int}", "f": "{float}", "b": "{bytes}"}
    return tuple(f"{name} {names[kind]}" for name, kind in (word.split(":") for word in kinds.split()))


_FIRST = (
    ("gigadeck", "key:t", "value:t"),
    ("realms", "realm:t", "holder:t address:t sites:t instance:t fence:i since:f renewed_at:f"),
    (
        "incidents",
        "id:t",
        "site:t state:t worst:t opened_at:f changed_at:f seen_at:f resolved_at:f returns:i keeper:t sign:t",
    ),
    ("changes", "incident:t at:f state:t severity:t", "site:t author:t"),
    ("acknowledgements", "incident:t at:f author:t", "severity:t note:t withdrawn_at:f"),
    ("notes", "id:t", "site:t subject:t author:t at:f text:t"),
    ("views", "site:t name:t", "author:t at:f spec:t"),
    ("baselines", "site:t detector:t field:t", "saved_at:f data:b"),
    ("plans", "id:t", "site:t state:t author:t created_at:f changed_at:f body:t"),
    ("steps", "plan:t number:i", "target:t state:t changed_at:f outcome:t body:t"),
    ("locks", "site:t name:t", "holder:t taken_at:f until_at:f reason:t"),
    ("guard_counters", "site:t guard:t domain:t", "value:i changed_at:f"),
    ("journal", "site:t seq:i", "at:f kind:t subject:t author:t text:t file:t position:i"),
    ("sent", "incident:t channel:t what:t", "site:t at:f outcome:t"),
    ("deeds", "id:t", "site:t kind:t subject:t author:t at:f outcome:t"),
    ("tokens", "id:t", "name:t digest:t role:t created_by:t created_at:f expires_at:f revoked_at:f"),
)
_FIRST_INDEXES = (
    "CREATE INDEX incidents_by_site ON incidents (site, resolved_at)",
    "CREATE INDEX notes_by_site ON notes (site, at)",
    "CREATE INDEX plans_by_site ON plans (site, created_at)",
    "CREATE INDEX deeds_by_time ON deeds (at)",
    "CREATE UNIQUE INDEX tokens_by_digest ON tokens (digest)",
)


def _name_incidents(connection: Connection) -> None:
    """Take each incident's key and severity out of its sign."""
    rows = connection.execute(text("SELECT id, sign FROM incidents")).all()
    named = []
    for row in rows:
        sign = json.loads(row.sign)
        named.append({"id": row.id, "key": sign["key"], "severity": sign["severity"]})
    update = text("UPDATE incidents SET key = :key, severity = :severity WHERE id = :id")
    for start in range(0, len(named), _ROWS_AT_ONCE):  # no statement may take long
        connection.execute(update, named[start : start + _ROWS_AT_ONCE])


STEPS = (
    Step(
        1,
        "the first tables",
        tuple(_table(name, _columns(keys), _columns(rest)) for name, keys, rest in _FIRST) + _FIRST_INDEXES,
    ),
    Step(
        2,
        "incidents by key and severity without reading their signs; when a token was last used",
        (
            "ALTER TABLE incidents ADD COLUMN key {text} NOT NULL DEFAULT ''",
            "ALTER TABLE incidents ADD COLUMN severity {text} NOT NULL DEFAULT ''",
            "ALTER TABLE tokens ADD COLUMN used_at {float} NOT NULL DEFAULT 0",
        ),
        _name_incidents,
    ),
)
NEWEST = STEPS[-1].number


def version(connection: Connection) -> int:
    """Return the schema's version, 0 for a database without our tables."""
    if connection.dialect.name == SQLITE:
        there = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'gigadeck'")).first()
    else:
        # Not to_regclass: it may answer from a cache that does not know what was committed while we waited for a lock.
        visible = "SELECT 1 FROM pg_class WHERE relname = 'gigadeck' AND pg_table_is_visible(oid)"
        there = connection.execute(text(visible)).first()
    if there is None:
        return 0
    found = connection.execute(text("SELECT value FROM gigadeck WHERE key = 'schema'")).scalar()
    return int(found or 0)


def refuse_newer(address: Address, found: int) -> None:
    """Raise NewerSchema where the tables are of a later gigadeck than this one."""
    if found > NEWEST:
        raise NewerSchema(
            f"state {address.where}: a newer gigadeck wrote it (schema {found}, this one knows {NEWEST}); "
            "run that version, or restore a backup that an older one wrote"
        )


def apply(connection: Connection, step: Step) -> None:
    """Do one step within the transaction of the connection."""
    types = _TYPES[connection.dialect.name]
    for statement in step.statements:
        for mark, kind in types.items():
            statement = statement.replace(mark, kind)
        connection.execute(text(statement))
    if step.fill is not None:
        step.fill(connection)
    connection.execute(text("DELETE FROM gigadeck WHERE key = 'schema'"))
    connection.execute(
        text("INSERT INTO gigadeck (key, value) VALUES ('schema', :number)"), {"number": str(step.number)}
    )


def migrate(engine: Engine, address: Address, to: int = NEWEST) -> tuple[Step, ...]:
    """Bring a database to a version; return the steps that were done. Raises NewerSchema."""
    done = []
    for step in STEPS[:to]:
        with engine.begin() as connection:
            if connection.dialect.name == POSTGRESQL:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
            found = version(connection)
            refuse_newer(address, found)
            if found < step.number:
                apply(connection, step)
                done.append(step)
    return tuple(done)
