"""Old tables to new ones: the oldest database that ever was is made by the first step, as an old gigadeck made it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from console.model.errors import NewerSchema, StateError
from console.state import migrations, schema, upkeep
from console.state.address import parse_address
from console.state.connections import engine_for
from console.state.faults import told
from console.state.migrations import NEWEST, STEPS, Step, migrate, version
from console.state.rows import sign_text
from console.state.store import open_store
from tests.support.remembered import SITE, incident, note

if TYPE_CHECKING:
    from pathlib import Path


def old_database(path: Path, number: int = 1) -> str:
    """Return the URL of a database as the gigadeck of that schema wrote it, with an incident, a note and a token."""
    url = f"sqlite:///{path}"
    address = parse_address(url)
    engine = engine_for(address, name="old")
    migrate(engine, address, number)
    engine.dispose()
    old = incident()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO incidents (id, site, state, worst, opened_at, changed_at, seen_at, sign) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (old.id, SITE, "firing", "warning", 100.0, 100.0, 100.0, sign_text(old.sign)),
        )
        connection.execute(
            "INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)", ("note-0", SITE, note().subject, "sre07", 100.0, "words 0")
        )
        connection.execute("INSERT INTO tokens (id, name, digest, role) VALUES ('t1', 'ci', 'abc', 'viewer')")
        connection.commit()
    return url


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert [step.number for step in STEPS] == list(range(1, NEWEST + 1))
    assert NEWEST >= 2


def test_an_old_database_is_brought_up_to_date_and_keeps_what_it_held(tmp_path: Path) -> None:
    url = old_database(tmp_path / "memory.db")
    store = open_store(url, realm="lab")
    assert store.schema == NEWEST
    assert [step.number for step in store.migrated] == list(range(2, NEWEST + 1))
    found = store.load([SITE])
    assert found.incidents == (incident(),)
    assert found.notes == (note(),)
    with store.reading() as connection:
        row = connection.execute(schema.incidents.select()).one()
        token = connection.execute(schema.tokens.select()).one()
    assert (row.key, row.severity) == ("check:hot", "warning")
    assert (token.name, token.used_at) == ("ci", 0.0)
    store.close()
    with closing(sqlite3.connect(tmp_path / "memory.db.schema-1")) as copy:
        assert copy.execute("SELECT value FROM gigadeck").fetchone() == ("1",), "a copy of the old one stays"
        assert copy.execute("SELECT count(*) FROM incidents").fetchone() == (1,)


def test_an_old_database_can_be_looked_at_and_stays_old(tmp_path: Path) -> None:
    url = old_database(tmp_path / "memory.db")
    with closing(open_store(url, realm="lab", read_only=True)) as store:
        found = upkeep.info(store)
        assert (found.schema, found.newest_schema) == (1, NEWEST)
        assert {each.name: each.rows for each in found.tables}["incidents"] == 1
    with closing(sqlite3.connect(tmp_path / "memory.db")) as connection:
        assert connection.execute("SELECT value FROM gigadeck").fetchone() == ("1",)


def test_the_second_opening_has_nothing_to_do(tmp_path: Path) -> None:
    url = old_database(tmp_path / "memory.db")
    open_store(url, realm="lab").close()
    again = open_store(url, realm="lab")
    assert again.migrated == ()
    again.close()


@pytest.mark.parametrize("start", range(NEWEST))
def test_every_way_leads_to_the_tables_that_the_code_knows(tmp_path: Path, start: int) -> None:
    address = parse_address(f"sqlite:///{tmp_path}/memory.db")
    engine = engine_for(address, name="test")
    migrate(engine, address, start)
    migrate(engine, address)
    there = inspect(engine)
    assert set(there.get_table_names()) == set(schema.metadata.tables)
    for table in schema.metadata.sorted_tables:
        columns = {each["name"]: each for each in there.get_columns(table.name)}
        assert columns.keys() == set(table.columns.keys()), table.name
        assert not any(each["nullable"] for each in columns.values())
        kinds = {name: str(each["type"]) for name, each in columns.items()}
        assert kinds == {each.name: str(each.type.compile(engine.dialect)) for each in table.columns}, table.name
        assert there.get_pk_constraint(table.name)["constrained_columns"] == [key.name for key in table.primary_key]
        indexes = {each["name"] for each in there.get_indexes(table.name)}
        assert indexes == {each.name for each in table.indexes}
    engine.dispose()


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = old_database(tmp_path / "memory.db", NEWEST)
    bad = Step(NEWEST + 1, "half", ("ALTER TABLE notes ADD COLUMN half {text}", "INSERT INTO nowhere VALUES (1)"))
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, bad))
    address = parse_address(url)
    engine = engine_for(address, name="test")
    with pytest.raises(StateError, match="no such table: nowhere"), told(address):
        migrate(engine, address, NEWEST + 1)
    assert "half" not in {each["name"] for each in inspect(engine).get_columns("notes")}
    with engine.connect() as connection:
        assert version(connection) == NEWEST
    engine.dispose()


def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/memory.db"
    open_store(url, realm="lab").close()
    with closing(sqlite3.connect(tmp_path / "memory.db")) as connection:
        connection.execute("UPDATE gigadeck SET value = '99'")
        connection.commit()
    for read_only in (False, True):
        with pytest.raises(NewerSchema, match=rf"a newer gigadeck wrote it \(schema 99, this one knows {NEWEST}\)"):
            open_store(url, realm="lab", read_only=read_only)
    with closing(sqlite3.connect(tmp_path / "memory.db")) as connection:
        assert connection.execute("SELECT value FROM gigadeck").fetchone() == ("99",)
