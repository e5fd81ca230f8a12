"""A stand-in for `gigadeck serve`, written from docs/site-api.md alone: it streams what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import struct
import time
import zlib
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np

from console.core.site_api.packing import MediaType, pack
from console.core.site_api.topology import topology_body, topology_tag
from tests.support.bad_http import answer, bad_server
from tests.support.toy_world import toy_topology

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from console.model.topology import SiteTopology
    from tests.support.bad_http import BadServer, Request, Writer

STREAM = "application/vnd.gigadeck.stream"
HEAD = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: {STREAM}\r\n"
RING = 1000


def record(seq: int, kind: str, *, zipped: bool = False, **members: Any) -> bytes:
    """Return a record as it goes over the line."""
    body = msgspec.msgpack.encode({"seq": seq, "type": kind, **members})
    body = zlib.compress(body) if zipped else body
    return struct.pack(">IB", len(body) + 1, zipped) + body


def steps(values: Any) -> dict[str, Any]:
    """Return whole numbers below 128 as a full column of quantum 1; -1 is missing."""
    data = np.asarray(values, dtype=np.int8).tobytes()
    return {"quantum": 1.0, "base": 0.0, "full": True, "dtype": "i1", "data": data}


@dataclass(eq=False)
class FakeServe:
    """`tell` sends a record to all who listen and keeps it for those who resume; the rest is set by the test."""

    site: str = "muc1"
    nodes: int = 2
    stream: int = 1
    api: int = 1
    log: str = "log-1"
    keeper: str = "serve-a"
    role: str = "leader"
    leader: str = ""
    talks: asyncio.Event = field(default_factory=asyncio.Event)
    beat_s: float = 0.2
    ahead_s: float = 0.0
    temp_c: int = 61
    topology: SiteTopology = field(init=False)
    seq: int = 0
    ring: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=RING))
    streams: list[dict[str, Any]] = field(default_factory=list)
    listeners: list[asyncio.Queue[bytes]] = field(default_factory=list)
    focused: list[dict[str, Any]] = field(default_factory=list)
    deeds: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    voices: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topology = toy_topology(self.site, nodes=self.nodes)
        self.talks.set()

    def now(self) -> float:
        """Its clock, which may be wrong."""
        return time.time() + self.ahead_s

    async def behaviour(self, request: Request, writer: Writer) -> None:
        path = urlsplit(request.target).path
        what = path.removeprefix(f"/site/v1/{self.site}/")
        self.asked.append(what)
        if what == "stream" and self.stream:
            await self._stream(request, writer)
        elif what == "info":
            told = {"api": self.api, "site": self.site, "topology": "", "cadence_s": 1.0, "server": "gigadeck 9"}
            await self._packed({**told, "stream": self.stream}, request, writer)
        elif what == "focus":
            self.focused.append(json.loads(request.body))
            await answer("{}")(request, writer)
        elif what == "records":
            await self._packed(self.voices, request, writer)
        elif what == "deeds":
            await self._deed(request, writer)
        else:
            await answer('{"status": 404, "error": "no such route"}', 404)(request, writer)

    async def _packed(self, told: Any, request: Request, writer: Writer) -> None:
        await answer(msgspec.msgpack.encode(told), content_type="application/msgpack")(request, writer)

    async def _deed(self, request: Request, writer: Writer) -> None:
        deed = json.loads(request.body)
        self.deeds.append(deed)
        status, told, headers = self.refusals.pop(0) if self.refusals else (200, {"outcome": f"did {deed['kind']}"}, {})
        await answer(json.dumps(told), status, headers=headers)(request, writer)

    async def _stream(self, request: Request, writer: Writer) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        self.streams.append(asked)
        after = int(asked.get("after", -1))
        kept = [each for each in self.ring if each[0] > after]
        resumed = asked.get("log") == self.log and (after == self.seq or bool(kept and kept[0][0] == after + 1))
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        writer.write(f"{HEAD}Date: {formatdate(self.now(), usegmt=True)}\r\n\r\n".encode())
        queue.put_nowait(self.hello(resumed=resumed))
        for data in [data for _, data in kept] if resumed else self.opening():
            queue.put_nowait(data)
        self.listeners.append(queue)
        try:
            while data := await self._next(queue):
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            writer.close()
        finally:
            self.listeners.remove(queue)

    async def _next(self, queue: asyncio.Queue[bytes]) -> bytes:
        """Return what to send next, a beat where that is nothing for a while: so a client that went away is noticed."""
        data = b""
        try:
            async with asyncio.timeout(self.beat_s):
                data = await queue.get()
        except TimeoutError:
            data = self.beat(0)
        await self.talks.wait()
        return data

    def hello(self, *, resumed: bool = False, **more: Any) -> bytes:
        told = {
            "api": self.api, "stream": max(self.stream, 1), "site": self.site, "log": self.log,
            "id": f"s{len(self.streams)}", "keeper": self.keeper, "role": self.role, "leader": self.leader,
            "cadence_s": 1.0, "server": "gigadeck 9", "resumed": resumed, "last": self.seq, **more,
        }  # fmt: skip
        return record(0, "hello", **told)

    def opening(self) -> list[bytes]:
        """Return all that somebody needs who comes anew: the last record alone has a number."""
        tag = topology_tag(self.topology)
        body = pack(topology_body(self.topology, tag, self.now(), MediaType.MSGPACK), MediaType.MSGPACK)
        topology = record(0, "topology", zipped=True, tag=tag, version=self.topology.version, body=body)
        aggregates = record(0, "aggregates", **self.aggregates())
        return [topology, aggregates, record(0, "column", zipped=True, **self.column()), self.beat(self.seq)]

    def beat(self, seq: int) -> bytes:
        return record(seq, "beat", at=self.now())

    def column(self, metric: str = "temp_c", values: Any = None) -> dict[str, Any]:
        told = np.full(self.topology.gpus, self.temp_c) if values is None else values
        place = {"metric": metric, "level": "gpu", "version": self.topology.version, "at": self.now()}
        return {**place, **steps(told)}

    def aggregates(self) -> dict[str, Any]:
        fields = {"temp_c_max": steps([self.temp_c])}
        return {"level": "site", "version": self.topology.version, "at": self.now(), "fields": fields}

    def tell(self, kind: str, **members: Any) -> int:
        """Send a record to all who listen; return its number."""
        self.seq += 1
        self.send(data := record(self.seq, kind, **members))
        self.ring.append((self.seq, data))
        return self.seq

    def warm(self, temp_c: int) -> int:
        """Say that every GPU is so warm."""
        self.temp_c = temp_c
        self.tell("aggregates", **self.aggregates())
        return self.tell("column", **self.column())

    def send(self, data: bytes) -> None:
        """Send bytes to all who listen, whatever they are."""
        for queue in self.listeners:
            queue.put_nowait(data)

    def hang_up(self) -> None:
        """End every stream."""
        self.send(b"")

    def restart(self, log: str) -> None:
        """Begin another life: nobody can resume."""
        self.log, self.seq = log, 0
        self.ring.clear()
        self.hang_up()


@asynccontextmanager
async def fake_serve(
    of: FakeServe | None = None, *, port: int = 0, socket: str = ""
) -> AsyncIterator[tuple[FakeServe, BadServer]]:
    """Serve a stand-in until the block ends."""
    of = of or FakeServe()
    async with bad_server(of.behaviour, port=port, socket=socket) as server:
        yield of, server
