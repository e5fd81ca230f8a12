"""Who keeps what a person does: the `gigadeck serve` of the site where there is one, else our own memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING

from console.engine.views import settle
from console.model.errors import RefusedError, StateError, TimedOut, Unreachable
from console.model.ports import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.engine.detectors import DetectorHost
    from console.engine.memory import MemoryDesk
    from console.engine.reading_desk import ReadingDesk
    from console.engine.record import SourceRecord
    from console.engine.setup import SessionConfig
    from console.model.incidents import Deed
    from console.model.snapshot import Snapshot

# Somebody waits at the screen.
KEEP_LIMIT_S = 15.0
READ_ONLY = "this console is read-only: nothing is acknowledged, noted or shared from here"
NO_MEMORY = "this command keeps no memory of its own"

log = logging.getLogger("console.engine")


class Keeping:
    """Passes deeds on to whoever remembers for their site; `memory` is our own, None where this program has none."""

    def __init__(self, config: SessionConfig, records: Sequence[SourceRecord], changed: Callable[[], None]) -> None:
        self._config = config
        self._records = records
        self.memory = _own(config, changed)

    def start(self) -> None:
        """Open our own memory at once, unless somebody looks on: then the first picture comes before it."""
        if self.memory is not None and not self._config.first_word:
            self.memory.start()

    def keep(self, deed: Deed, latest: Snapshot | None, desk: ReadingDesk) -> Future[str]:
        """Keep a deed for good; return, when that is so, what it came to in words.

        Raises (through the future) RefusedError, StateError, SourceError.
        """
        if self._config.read_only:
            return _refused(READ_ONLY)
        keepers = self._keepers(deed.site, latest)
        if keepers:
            return desk.ask(lambda: _keep(keepers, deed))
        return self.memory.submit(deed) if self.memory is not None else _refused(NO_MEMORY)

    def close(self, detectors: DetectorHost, timeout_s: float, *, at_rest: bool) -> None:
        """Keep what detectors remember, write what waits, and end within `timeout_s`; `at_rest`: no detector works."""
        if self.memory is None:
            return
        if self.memory.is_lasting:
            self.memory.offer(tuple(detectors.columns(self._config.clock.time(), at_rest=at_rest)))
        if not self.memory.close(timeout_s):
            log.warning("the memory was not closed in time; what it had confirmed is kept")

    def statistics(self) -> dict[str, dict[str, float]]:
        """Return our own memory's health, nothing where there is none to tell of."""
        found = self.memory.statistics() if self.memory is not None else {}
        return {"memory": found} if found else {}

    def _keepers(self, site: str, latest: Snapshot | None) -> tuple[Keeper, ...]:
        """Return the ways to the `gigadeck serve` that judges a site, none where none does."""
        frame = latest.frame.site(site) if latest is not None else None
        if frame is None or frame.judged is None:
            return ()
        found = (record.setup.source for record in self._records if record.site == site)
        return tuple(source for source in found if isinstance(source, Keeper))


def _own(config: SessionConfig, changed: Callable[[], None]) -> MemoryDesk | None:
    if config.memory is None:
        return None
    from console.engine.memory import MemoryDesk

    return MemoryDesk(config.memory, [site.name for site in config.sites], config.clock, changed)


async def _keep(keepers: Sequence[Keeper], deed: Deed) -> str:
    """Return what a deed comes to; a way that does not lead there gives way to the next: the same deed is done once."""
    for keeper in keepers[:-1]:
        with contextlib.suppress(Unreachable, TimedOut, TimeoutError):
            async with asyncio.timeout(KEEP_LIMIT_S):
                return await keeper.keep(deed)
    try:
        async with asyncio.timeout(KEEP_LIMIT_S):
            return await keepers[-1].keep(deed)
    except TimeoutError:
        told = f"{deed.site}: its gigadeck serve did not answer within {KEEP_LIMIT_S:g} s"
        raise StateError(f"{told}; do it again: it is done once") from None


def _refused(words: str) -> Future[str]:
    future: Future[str] = Future()
    settle(future, error=RefusedError(words))
    return future
