"""A raw HTTP server that answers, or misbehaves, as it is told: one behaviour for every request, or one for each."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Behaviour = Callable[[Request, Writer], Awaitable[None]]


def answer(
    content: bytes | str,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    *,
    zipped: bool = False,
) -> Behaviour:
    """Answer properly."""
    body = content.encode() if isinstance(content, str) else content
    body = gzip.compress(body) if zipped else body

    async def act(_: Request, writer: Writer) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {content_type}"]
        lines += ["Content-Encoding: gzip"] if zipped else []
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return act


def truncated(content: bytes, promised: int, content_type: str = "application/json") -> Behaviour:
    """Promise more than is sent, then hang up."""

    async def act(_: Request, writer: Writer) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\nContent-Type: {content_type}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        writer.close()

    return act


def endless(content_type: str = "application/json", limit_bytes: int = 400_000_000) -> Behaviour:
    """Send chunks until the reader hangs up."""
    piece = b" " * 65536

    async def act(_: Request, writer: Writer) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: {content_type}\r\n\r\n".encode())
        for _step in range(limit_bytes // len(piece)):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()

    return act


def dripping(content_type: str = "application/json", every_s: float = 0.02) -> Behaviour:
    """Send a byte now and then, for ever: no single read ever times out."""

    async def act(_: Request, writer: Writer) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: {content_type}\r\n\r\n".encode())
        while not writer.is_closing():
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(every_s)

    return act


def silent() -> Behaviour:
    """Never answer."""

    async def act(_: Request, __: Writer) -> None:
        await asyncio.Event().wait()

    return act


def reset() -> Behaviour:
    """Hang up at once."""

    async def act(_: Request, writer: Writer) -> None:
        writer.close()

    return act


@dataclass
class BadServer:
    """`behaviour` answers every request; `requests` are those that came."""

    behaviour: Behaviour
    scheme: str = "http"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        self.idle.clear()
        try:
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                while not writer.is_closing() and (request := await _read(reader)) is not None:
                    self.requests.append(request)
                    await self.behaviour(request, writer)
                    await writer.drain()
            writer.close()
        finally:
            self.connections -= 1
            if not self.connections:
                self.idle.set()
            if not writer.is_closing():
                writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


@asynccontextmanager
async def bad_server(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None, *, port: int = 0, socket: str = ""
) -> AsyncIterator[BadServer]:
    """Serve on a free loopback port (or the one that is named, or on a UNIX socket) until the block ends."""
    bad = BadServer(behaviour, "https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await bad.serve(reader, writer)

    if socket:
        server = await asyncio.start_unix_server(handle, socket)
    else:
        server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=tls)
        bad.port = server.sockets[0].getsockname()[1]
    try:
        yield bad
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
