"""A TCP relay on loopback that injures what passes, as it is told: for any server, whatever it speaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PIECE = 65536
CONNECT_S = 5.0
DRIP_S = 0.02
# Linger on, for no time: the connection ends with a reset.
RESET = struct.pack("ii", 1, 0)


class Fault(StrEnum):
    """What is done to connections; new ones, and those that are open."""

    NONE = "none"
    REFUSE = "refuse"
    LATENCY = "latency"
    STALL = "stall in mid-body"
    RESET = "reset in mid-body"
    GARBAGE = "garbage"
    FLOOD = "flood"
    DRIP = "slow drip"


@dataclass(eq=False)
class FaultProxy:
    """`fault` may be changed at any time; with `STALL` and `RESET` half of an answer passes before it happens.

    `idle` is set while nobody is connected who once was.
    """

    target_port: int
    port: int = 0
    latency_s: float = 0.05
    seed: int = 1
    connections: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    _fault: Fault = Fault.NONE
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def fault(self) -> Fault:
        return self._fault

    async def suffer(self, fault: Fault) -> None:
        """Change the fault; connections of the last one are reset, as a server's restart would."""
        self._fault = fault
        await self._end_connections()
        if fault is Fault.REFUSE:
            await self._close()
        elif self._server is None:
            await self.listen()

    def sicken(self, fault: Fault) -> None:
        """Change the fault of what passes from now on, on the connections that are open: they stay."""
        self._fault = fault

    async def listen(self) -> None:
        """Accept connections, always on the same port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, limit=PIECE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End everything."""
        await self._close()
        await self._end_connections()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _end_connections(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.idle.clear()
        self.connections += 1
        try:
            await self._relay(reader, writer)
        except (OSError, asyncio.CancelledError, TimeoutError):
            _reset(writer)
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self.idle.set()
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(CONNECT_S):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port, limit=PIECE)
        onward = asyncio.create_task(self._onward(reader, far_writer))
        try:
            await self._back(far_reader, writer)
        finally:
            onward.cancel()
            await asyncio.gather(onward, return_exceptions=True)
            far_writer.transport.abort()

    async def _onward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until the client has gone, with a farewell or without."""
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chance = random.Random(self.seed + self.connections)
        if self._fault is Fault.FLOOD:
            await _flood(writer, chance)
        while data := await reader.read(PIECE):
            if self._fault is Fault.LATENCY:
                await asyncio.sleep(self.latency_s)
            elif self._fault in (Fault.STALL, Fault.RESET):
                await _half(writer, data, stall=self._fault is Fault.STALL)
            elif self._fault is Fault.GARBAGE:
                data = chance.randbytes(len(data))
            elif self._fault is Fault.DRIP:
                await _drip(writer, data)
                continue
            writer.write(data)
            await writer.drain()


async def _half(writer: asyncio.StreamWriter, data: bytes, *, stall: bool) -> None:
    writer.write(data[: len(data) // 2])
    await writer.drain()
    if stall:
        await asyncio.Event().wait()
    raise ConnectionResetError


async def _flood(writer: asyncio.StreamWriter, chance: random.Random) -> None:
    piece = chance.randbytes(PIECE)
    while True:
        writer.write(piece)
        await writer.drain()


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await writer.drain()
        await asyncio.sleep(DRIP_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    line: socket.socket | None = writer.get_extra_info("socket")
    if line is not None:
        with contextlib.suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@asynccontextmanager
async def fault_proxy(target_port: int, *, seed: int = 1) -> AsyncIterator[FaultProxy]:
    """Relay a free loopback port to another one until the block ends."""
    proxy = FaultProxy(target_port, seed=seed)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
