"""The tables as they are now; `console.state.migrations` says how they came to be, and a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, MetaData, Table, Text

metadata = MetaData()


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False, server_default=None if key else "")


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(
        name, BigInteger, primary_key=key, autoincrement=False, nullable=False, server_default=None if key else "0"
    )


def _at(name: str, *, key: bool = False) -> Column[float]:
    return Column(name, Double, primary_key=key, nullable=False, server_default=None if key else "0")


meta = Table("gigadeck", metadata, _text("key", key=True), _text("value"))
realms = Table(
    "realms",
    metadata,
    _text("realm", key=True),
    _text("holder"),
    _text("address"),
    _text("sites"),
    _text("instance"),
    _number("fence"),
    _at("since"),
    _at("renewed_at"),
)
incidents = Table(
    "incidents",
    metadata,
    _text("id", key=True),
    _text("site"),
    _text("key"),
    _text("state"),
    _text("severity"),
    _text("worst"),
    _at("opened_at"),
    _at("changed_at"),
    _at("seen_at"),
    _at("resolved_at"),
    _number("returns"),
    _text("keeper"),
    _text("sign"),
    Index("incidents_by_site", "site", "resolved_at"),
)
changes = Table(
    "changes",
    metadata,
    _text("incident", key=True),
    _at("at", key=True),
    _text("state", key=True),
    _text("severity", key=True),
    _text("site"),
    _text("author"),
)
acknowledgements = Table(
    "acknowledgements",
    metadata,
    _text("incident", key=True),
    _at("at", key=True),
    _text("author", key=True),
    _text("severity"),
    _text("note"),
    _at("withdrawn_at"),
)
notes = Table(
    "notes",
    metadata,
    _text("id", key=True),
    _text("site"),
    _text("subject"),
    _text("author"),
    _at("at"),
    _text("text"),
    Index("notes_by_site", "site", "at"),
)
views = Table(
    "views",
    metadata,
    _text("site", key=True),
    _text("name", key=True),
    _text("author"),
    _at("at"),
    _text("spec"),
)
baselines = Table(
    "baselines",
    metadata,
    _text("site", key=True),
    _text("detector", key=True),
    _text("field", key=True),
    _at("saved_at"),
    Column("data", LargeBinary, nullable=False),
)
plans = Table(
    "plans",
    metadata,
    _text("id", key=True),
    _text("site"),
    _text("state"),
    _text("author"),
    _at("created_at"),
    _at("changed_at"),
    _text("body"),
    Index("plans_by_site", "site", "created_at"),
)
steps = Table(
    "steps",
    metadata,
    _text("plan", key=True),
    _number("number", key=True),
    _text("target"),
    _text("state"),
    _at("changed_at"),
    _text("outcome"),
    _text("body"),
)
locks = Table(
    "locks",
    metadata,
    _text("site", key=True),
    _text("name", key=True),
    _text("holder"),
    _at("taken_at"),
    _at("until_at"),
    _text("reason"),
)
guard_counters = Table(
    "guard_counters",
    metadata,
    _text("site", key=True),
    _text("guard", key=True),
    _text("domain", key=True),
    _number("value"),
    _at("changed_at"),
)
journal = Table(
    "journal",
    metadata,
    _text("site", key=True),
    _number("seq", key=True),
    _at("at"),
    _text("kind"),
    _text("subject"),
    _text("author"),
    _text("text"),
    _text("file"),
    _number("position"),
)
sent = Table(
    "sent",
    metadata,
    _text("incident", key=True),
    _text("channel", key=True),
    _text("what", key=True),
    _text("site"),
    _at("at"),
    _text("outcome"),
)
deeds = Table(
    "deeds",
    metadata,
    _text("id", key=True),
    _text("site"),
    _text("kind"),
    _text("subject"),
    _text("author"),
    _at("at"),
    _text("outcome"),
    Index("deeds_by_time", "at"),
)
tokens = Table(
    "tokens",
    metadata,
    _text("id", key=True),
    _text("name"),
    _text("digest"),
    _text("role"),
    _text("created_by"),
    _at("created_at"),
    _at("expires_at"),
    _at("revoked_at"),
    _at("used_at"),
    Index("tokens_by_digest", "digest", unique=True),
)

# What tells how old a row is, for `info` and housekeeping.
TIMES = {
    "realms": "renewed_at",
    "incidents": "changed_at",
    "changes": "at",
    "acknowledgements": "at",
    "notes": "at",
    "views": "at",
    "baselines": "saved_at",
    "plans": "changed_at",
    "steps": "changed_at",
    "locks": "taken_at",
    "guard_counters": "changed_at",
    "journal": "at",
    "sent": "at",
    "deeds": "at",
    "tokens": "created_at",
}
