from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from console.serve import door as door_module
from console.serve import protocol as protocol_module
from console.serve.door import Book, Door
from console.serve.listeners import Listener
from console.serve.protocol import GuardedProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

    from console.serve.who import PeerInfo


async def tell(scope: Any, receive: Any, send: Any) -> None:
    peer: PeerInfo = scope["state"]["peer"]
    body = f"{peer.kind} {peer.address} {peer.uid} {callable(scope['state']['abort'])}".encode()
    if scope["path"] == "/wait":
        await receive()
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class House:
    """A door with uvicorn's protocol behind it, on a listener of its own."""

    def __init__(self, listener: socket.socket, book: Book) -> None:
        self.book = book
        self._writers: list[asyncio.StreamWriter] = []
        self.address = listener.getsockname()
        config = uvicorn.Config(tell, http=GuardedProtocol, ws="none", lifespan="off", log_config=None)
        config.load()
        self._state = uvicorn.server.ServerState()
        self._config = config
        self.door = Door(Listener(listener, False, ""), None, book, self._protocol)
        self.door.start()

    def _protocol(self) -> GuardedProtocol:
        return GuardedProtocol(config=self._config, server_state=self._state, app_state={})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.address, str):
            made = await asyncio.open_unix_connection(self.address)
        else:
            made = await asyncio.open_connection(*self.address[:2])
        self._writers.append(made[1])
        return made

    async def ask(self, path: str = "/") -> bytes:
        reader, writer = await self.connect()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer.rpartition(b"\r\n\r\n")[2]

    async def settle(self, count: int) -> None:
        """Wait until so many are in."""
        await until(lambda: len(self.book) == count)

    async def aclose(self) -> None:
        self.door.close()
        for entry in self.book.everybody():
            entry.hang_up()
        await self.settle(0)
        for writer in self._writers:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def until(predicate: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if predicate():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to that")


@asynccontextmanager
async def house(most: int = 64, family: int = socket.AF_INET) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="gdd") as folder:
        listener = socket.socket(family)
        listener.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(Path(folder) / "s"))
        listener.listen(256)
        made = House(listener, Book(most))
        try:
            yield made
        finally:
            await made.aclose()


async def test_a_request_knows_what_its_other_end_proves() -> None:
    async with house() as tcp:
        assert await tcp.ask() == b"tcp 127.0.0.1 -1 True"
    async with house(family=socket.AF_UNIX) as unix:
        assert await unix.ask() == f"unix  {os.getuid()} True".encode()


async def test_who_leaves_is_forgotten() -> None:
    async with house() as home:
        _, writer = await home.connect()
        await home.settle(1)
        writer.close()
        await home.settle(0)


async def test_whoever_only_waits_makes_room_for_a_newcomer_oldest_first() -> None:
    async with house(most=16) as home:  # eight of one origin
        lines = [await home.connect() for _ in range(8)]
        await home.settle(8)
        assert (await home.ask()).startswith(b"tcp")
        assert await asyncio.wait_for(lines[0][0].read(), 20) == b""  # the oldest was let go of
        assert home.book.turned_away == 1
        for _, writer in lines:
            writer.close()


async def test_whoever_is_being_answered_is_never_put_out() -> None:
    async with house(most=16) as home:
        busy = [await home.connect() for _ in range(8)]
        for _, writer in busy:
            writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: [entry.waits for entry in home.book.everybody()] == [False] * 8)
        reader, _ = await home.connect()
        assert await asyncio.wait_for(reader.read(), 20) == b""
        assert len(home.book) == 8
        for _, writer in busy:
            writer.close()


async def test_half_a_request_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "HEADERS_S", 0.05)
    async with house() as home:
        silent, _ = await home.connect()
        slow, writer = await home.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        assert await asyncio.wait_for(silent.read(), 20) == b""
        assert await asyncio.wait_for(slow.read(), 20) == b""


async def test_a_second_request_that_dawdles_is_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "HEADERS_S", 0.05)
    async with house() as home:
        reader, writer = await home.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"True"), 20)
        writer.write(b"GET / HT")
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_when_no_descriptor_is_left_it_goes_on_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "PAUSE_S", 0.01)
    async with house() as home:
        listener = home.door._listener.socket

        class Full:
            failed = False

            def accept(self) -> Any:
                if not self.failed:
                    self.failed = True
                    raise OSError(24, "Too many open files")
                return listener.accept()

            def fileno(self) -> int:
                return listener.fileno()

            def close(self) -> None:
                listener.close()

        home.door._listener = Listener(Full(), False, "")  # type: ignore[arg-type]  # what a door uses of one
        assert (await home.ask()).startswith(b"tcp")
