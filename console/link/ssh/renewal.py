"""Renews a user certificate before it ends, with the site's own command; never while a person is being asked."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from console.link.ssh.route import Route

# A certificate of an hour is renewed twelve minutes before its end, one of a day five hours before.
RENEW_AT = 0.8
LIMIT_S = 60.0
REST_S = 60.0
LOOK_EVERY_S = 5.0
DRAIN_S = 2.0
MOST_OUTPUT_BYTES = 64 * 1024
FOR_EVER_AT = 2.0**40


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate holds, in UTC epoch seconds."""

    from_at: float
    until_at: float

    @property
    def due_at(self) -> float:
        """When it should be renewed."""
        return self.from_at + RENEW_AT * (self.until_at - self.from_at)


def validities(route: Route) -> list[Validity]:
    """Return how long the certificates of a route hold; those that cannot be read, and those without end, are none."""
    import asyncssh

    found = []
    for path in dict.fromkeys([*route.certificates, *(f"{key}-cert.pub" for key in route.keys)]):
        if not Path(path).is_file():
            continue
        with suppress(OSError, ValueError):
            certificate = asyncssh.read_certificate(path)
            start, end = getattr(certificate, "_valid_after", None), getattr(certificate, "_valid_before", None)
            if start is not None and end is not None and end < FOR_EVER_AT:
                found.append(Validity(float(start), float(end)))
    return found


class Renewal:
    """The renewing of one site's certificates; `warning` says what is wrong with it, empty while all is well.

    `renewed` is called when a new certificate may be read. `paused` is true while a person is being asked.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        renewed: Callable[[], object],
        *,
        clock: Callable[[], float] = time.time,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._command = command
        self._renewed = renewed
        self._clock = clock
        self._limit_s = limit_s
        self._running: asyncio.Task[None] | None = None
        self._look_at = self._rest_until = 0.0
        self.warning = ""
        self.runs = 0
        self.paused = False

    async def tend(self, route: Route) -> None:
        """Renew where that is due; waits for it only where what is there has ended already (or there is nothing)."""
        now = self._clock()
        if not self._command or self.paused or now < self._look_at:
            await self._wait_if_ended(route, now)
            return
        self._look_at = now + LOOK_EVERY_S
        found = await asyncio.to_thread(validities, route)
        if now >= self._rest_until and self._running is None and _due(found, now):
            self._running = asyncio.create_task(self._run(route), name="ssh certificate renewal")
        await self._wait_if_ended(route, now, found)

    async def aclose(self) -> None:
        """End a command that still runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _wait_if_ended(self, route: Route, now: float, found: Iterable[Validity] | None = None) -> None:
        if self._running is None:
            return
        held = list(found) if found is not None else await asyncio.to_thread(validities, route)
        if not any(each.until_at > now for each in held):
            await asyncio.shield(asyncio.gather(self._running, return_exceptions=True))

    async def _run(self, route: Route) -> None:
        try:
            self.runs += 1
            fault = await self._once()
            now = self._clock()
            if not fault and _due(await asyncio.to_thread(validities, route), now):
                fault = "ended well, and there is no certificate that holds for longer than before"
            self._rest_until = now + REST_S if fault else 0.0
            self.warning = f"ssh.renew: {self._command[0]} {fault}" if fault else ""
            if not fault:
                self._renewed()
        finally:
            self._running = None

    async def _once(self) -> str:
        """Run the command and return what is wrong, empty for nothing; it has no terminal to ask anything on."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"cannot be run: {error.strerror}"
        said = b""
        try:
            async with asyncio.timeout(self._limit_s):
                said = await _bounded(process.stdout)
                code = await process.wait()
        except TimeoutError:
            return f"took longer than {self._limit_s:g} s"
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own, with all that it started
                with suppress(TimeoutError):  # its pipe is emptied, or it would stay open
                    async with asyncio.timeout(DRAIN_S):
                        await _bounded(process.stdout)
                await process.wait()
        words = clean(" ".join(said.decode("utf-8", "replace").split()), 200)
        return f"ended with {code}" + (f": {words}" if words else "") if code else ""


async def _bounded(stream: asyncio.StreamReader | None) -> bytes:
    """Return the beginning of what a command prints; the rest is read and dropped, so that it can end."""
    kept = b""
    while stream is not None and (piece := await stream.read(MOST_OUTPUT_BYTES)):
        kept = (kept + piece)[:MOST_OUTPUT_BYTES]
    return kept


def _due(found: list[Validity], now: float) -> bool:
    """Return whether no certificate holds for long enough."""
    return not any(now < each.due_at for each in found)
