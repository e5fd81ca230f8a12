"""A program that remembers until it is killed: prints each deed when it is answered for. Run by tests with a URL."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from console.engine.clock import SystemClock
from console.engine.memory import MemoryDesk
from console.engine.own_memory import own_memory
from console.model.incidents import Deed, DeedKind
from tests.support.incidents import sign

SITE = "muc1"


def main(url: str, run: str) -> None:
    desk = MemoryDesk(own_memory("test", url, base=Path(), author="sre@jump"), (SITE,), SystemClock())
    desk.start()
    while not desk.is_ready:
        time.sleep(0.01)
    for number in range(10_000):
        key = f"check:{run}-{number}"
        desk.update((sign(key, SITE),), frozenset(), time.time())
        (found,) = (each for each in desk.told(frozenset((SITE,))).incidents if each.sign.key == key)
        for kind, subject in ((DeedKind.ACKNOWLEDGE, found.id), (DeedKind.NOTE, f"incident:{found.id}")):
            desk.submit(Deed(f"{run}-{number}-{kind}", kind, SITE, subject, f"{run}-{number}")).result(30)
        sys.stdout.write(f"{found.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
