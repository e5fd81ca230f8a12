"""A process that writes deed after deed and says which were kept, to be killed at any point; or one that leads.

`python -m tests.support.memory_writer write URL FIRST` prints the number of each deed once it is kept; where the
database fails it does the same deed again. `... lead URL` takes the lead and prints its fence; at each line that it is
given it begins to write, and prints what came of it; `hold` does not end the transaction before the next line.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from console.model.errors import ConsoleError, StateError
from console.state.leadership import Leadership
from console.state.store import Store, open_store
from tests.support.remembered import SITE, acknowledged, deed, note

if TYPE_CHECKING:
    from console.state.writer import Writer

REALM = "lab"
GUARD = ("counted", "all")
LIMIT = 100_000


def write(url: str, first: int) -> None:
    store = _opened(url)
    for number in range(first, LIMIT):
        while not _kept(store, number):
            time.sleep(0.02)
        print(number, flush=True)


def _opened(url: str) -> Store:
    while True:
        try:
            return open_store(url, realm=REALM)
        except StateError:
            time.sleep(0.02)


def _kept(store: Store, number: int) -> bool:
    try:
        with store.begin() as writer:
            if writer.done(deed(number)) is None:
                put(writer, number)
    except StateError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return True


def put(writer: Writer, number: int) -> None:
    """Keep what belongs to a deed; the counter tells if one was ever done twice."""
    writer.put_incidents([acknowledged(f"check:{number}")])
    writer.add_note(note(number))
    writer.count(SITE, *GUARD, 1, 1.0)
    writer.remember(deed(number), "done")


def lead(url: str) -> None:
    store = open_store(url, realm=REALM)
    leads = Leadership(store, REALM, "child", "unix:/child", sites=[SITE])
    fence = leads.try_lead()
    print(fence, flush=True)
    for number, line in enumerate(sys.stdin):
        try:
            with store.begin(fence) as writer:
                if line.strip() == "hold":
                    print("holding", flush=True)
                    sys.stdin.readline()
                put(writer, number)
            print("kept", flush=True)
        except ConsoleError as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]))
    else:
        lead(sys.argv[2])
