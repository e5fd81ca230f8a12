"""Lets connections in: so many in all and from one origin; where there are too many, whoever dawdles longest goes."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from console.serve.protocol import unix_peer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from console.serve.listeners import Listener

HANDSHAKE_S = 10.0
MOST_AT_ONCE = 64
PAUSE_S = 0.2

log = logging.getLogger("console.serve")


class Guest(Protocol):
    """A connection that may be asked whether it waits, and be closed."""

    @property
    def waits(self) -> bool:
        """Whether no request of it is being answered."""
        ...

    def hang_up(self) -> None:
        """Close at once."""
        ...


class _Entry:
    """A connection from the moment that it was accepted: first a socket and a task, then a protocol."""

    def __init__(self, line: socket.socket, origin: str) -> None:
        self.line = line
        self.origin = origin
        self.guest: Guest | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def waits(self) -> bool:
        return self.guest is None or self.guest.waits

    def hang_up(self) -> None:
        if self.guest is not None:
            self.guest.hang_up()
        elif self.task is not None:
            self.task.cancel()


class Book:
    """Who is in, oldest first; `most_each` is what one origin (an address, a user) may have of `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.most_each = max(8, most // 2)
        self.turned_away = 0
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._origins: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def admit(self, entry: _Entry) -> bool:
        """Take an entry in, in place of one that only waits where it is full; False where there is none such."""
        crowded = self._origins.get(entry.origin, 0) >= self.most_each
        if (crowded or len(self) >= self.most) and not self._make_room(entry.origin if crowded else ""):
            self.turned_away += 1
            return False
        self._entries[id(entry)] = entry
        self._origins[entry.origin] = self._origins.get(entry.origin, 0) + 1
        return True

    def leave(self, entry: _Entry) -> None:
        """Forget an entry; a second time does nothing."""
        if self._entries.pop(id(entry), None) is None:
            return
        self._origins[entry.origin] -= 1
        if not self._origins[entry.origin]:
            del self._origins[entry.origin]

    def everybody(self) -> list[_Entry]:
        """Return who is in."""
        return list(self._entries.values())

    def _make_room(self, origin: str) -> bool:
        for entry in self._entries.values():
            if entry.waits and (not origin or entry.origin == origin):
                self.turned_away += 1
                self.leave(entry)
                entry.hang_up()
                return True
        return False


class Door:
    """Accepts on one listener, on the running loop, and makes a protocol of each connection."""

    def __init__(
        self,
        listener: Listener,
        context: ssl.SSLContext | None,
        book: Book,
        make_protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._listener = listener
        self._context = context if listener.tls else None
        self._book = book
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._open = False
        self.failed = 0
        listener.socket.setblocking(False)

    def start(self) -> None:
        """Begin to accept."""
        self._open = True
        self._loop.add_reader(self._listener.socket.fileno(), self._accept)

    def close(self) -> None:
        """Accept no more; whoever is in stays."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._listener.socket.fileno())
            self._listener.close()

    async def wait_closed(self) -> None:
        """Return at once: nothing is left to wait for."""

    def _accept(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                line, address = self._listener.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor is left: a moment later there may be one
                log.warning("cannot accept: %s", error.strerror or error)
                self._loop.remove_reader(self._listener.socket.fileno())
                self._loop.call_later(PAUSE_S, self._resume)
                return
            self._greet(line, address)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener.socket.fileno(), self._accept)

    def _greet(self, line: socket.socket, address: object) -> None:
        line.setblocking(False)
        entry = _Entry(line, _origin(line, address))
        if not self._book.admit(entry):
            line.close()
            return
        if line.family != socket.AF_UNIX:
            with suppress(OSError):
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        entry.task = self._loop.create_task(self._welcome(entry))
        entry.task.add_done_callback(lambda task: self._welcomed(entry, task))

    async def _welcome(self, entry: _Entry) -> None:
        """Join a socket to a protocol, after the TLS handshake where there is one."""
        limit_s = HANDSHAKE_S if self._context is not None else None
        await self._loop.connect_accepted_socket(
            lambda: self._protocol(entry), entry.line, ssl=self._context, ssl_handshake_timeout=limit_s
        )

    def _welcomed(self, entry: _Entry, task: asyncio.Task[None]) -> None:
        """Let go of a connection that was not made: a handshake that fails is the other end's affair."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.failed += 1
            log.info("a connection was not made: %s", getattr(error, "reason", "") or error)
        if task.cancelled() or error is not None:
            self._book.leave(entry)
            entry.line.close()

    def _protocol(self, entry: _Entry) -> asyncio.Protocol:
        protocol = self._make_protocol()
        # The book is told of the end by the protocol itself, whichever way it comes.
        protocol.on_lost = lambda: self._book.leave(entry)  # type: ignore[attr-defined]  # `protocol.GuardedProtocol`
        protocol.on_made = lambda: self._seated(entry, protocol)  # type: ignore[attr-defined]  # the same
        return protocol

    @staticmethod
    def _seated(entry: _Entry, protocol: asyncio.Protocol) -> None:
        entry.guest = protocol  # type: ignore[assignment]  # the same


def _origin(line: socket.socket, address: object) -> str:
    if line.family == socket.AF_UNIX:
        try:
            return unix_peer(line).bucket
        except OSError:
            return "unix"
    return str(address[0]) if isinstance(address, tuple) else ""
