"""Starts a writer, kills it at random points and tells what a memory must hold afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from console.state import schema
from console.state.store import open_store
from tests.support.memory_writer import REALM
from tests.support.remembered import SITE, acknowledged

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

END_S = 30.0


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the writer; it is gone at the end, however the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.memory_writer", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path) or "."},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def write_until_killed(url: str, first: int, chance: random.Random) -> int:
    """Let a writer begin at a deed and kill it somewhere; return the last deed that it said was kept."""
    with child("write", url, str(first)) as process:
        assert process.stdout is not None
        last = first - 1
        for _ in range(chance.randint(1, 40)):
            last = int(process.stdout.readline())
        time.sleep(chance.random() * 0.01)
        process.kill()
        process.wait(END_S)
        rest = process.stdout.read().split("\n")
        return int(rest[-2]) if len(rest) > 1 else last


def check_all_there(url: str, acknowledged_up_to: int) -> None:
    """Assert that every deed that was said to be kept is there, each whole, and none done twice."""
    with closing(open_store(url, realm=REALM)) as store:
        with store.reading() as connection:
            rows = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar()
                for table in (schema.deeds, schema.notes, schema.incidents, schema.changes, schema.acknowledgements)
            }
        with store.asking() as reader:
            counted = reader.guard_counters([SITE])[0].value
        found = {each.id: each for each in store.load([SITE]).incidents}
    for number in range(acknowledged_up_to + 1):
        expected = acknowledged(f"check:{number}")
        assert found[expected.id] == expected, f"deed {number} was acknowledged and is lost"
    assert set(rows.values()) == {counted}, "a deed was kept in part, or done twice"
    assert counted in (acknowledged_up_to + 1, acknowledged_up_to + 2), "beyond those said to be kept at most one"
