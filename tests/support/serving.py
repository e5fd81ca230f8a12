"""A serve's web application over a session of the emulator, or of the test's own, on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import uvicorn

from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.engine.session import Session
from console.engine.setup import MemorySetup, SessionConfig, SiteSetup, SourceSetup
from console.model.builtin_metrics import BUILTIN
from console.serve.app import RoleWord, make_app
from console.serve.bounds import Bounds
from console.serve.hub import Hub
from console.serve.protocol import GuardedProtocol
from console.serve.who import Caller, Role
from console.sources.emulator import EmulatorSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from console.serve.stream_limits import StreamLimits

SITE = "muc1"
START_S = 20.0
WAIT_S = 15.0
OPERATOR = Caller("ada", Role.OPERATOR, "token")
VIEWER = Caller("eve", Role.VIEWER, "token")


class StandInGate:
    """Lets everybody in as the caller that a header names, else as `everybody`, else as nobody."""

    def __init__(self, app: ASGIApp, everybody: str = "") -> None:
        self._app = app
        self._everybody = everybody
        self.callers = {caller.author: caller for caller in (OPERATOR, VIEWER)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = dict(scope["headers"]).get(b"x-author", self._everybody.encode()).decode()
            scope.setdefault("state", {})["caller"] = self.callers.get(name)
        await self._app(scope, receive, send)


@dataclass(eq=False)
class Served:
    """A running serve: its hub, its session, and where it is."""

    hub: Hub
    session: Any
    url: str = ""
    word: RoleWord = field(default_factory=RoleWord)
    app: Any = None

    def client(self, author: str = OPERATOR.author, **more: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, verify=False, headers={"x-author": author}, timeout=START_S, **more)

    @property
    def site(self) -> str:
        return f"/site/v1/{SITE}"

    def bounds_under_way(self) -> int:
        """How many plain requests are being answered."""
        layer = self.app.middleware_stack
        while layer is not None and not isinstance(layer, Bounds):
            layer = layer.app
        return layer.under_way if layer is not None else 0

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def emulated_session(*, gpus: int = 64, hz: float = 5.0, seed: int = 1, names: tuple[str, ...] = (SITE,)) -> Session:
    """Return a session, not started, of emulated sites."""
    sites = []
    for name in names:
        world = World(FleetPlan(gpus=gpus, sites=1, seed=seed, name=name), time.time())
        setup = SourceSetup("emulator", "emulator", "built in", EmulatorSource(world, name), cadence_s=0.2)
        sites.append(SiteSetup(name, environment="lab", sources=(setup,)))
    config = SessionConfig("lab", sites=tuple(sites), snapshot_hz=hz, memory=MemorySetup(), first_word=False)
    return Session(config)


@contextlib.contextmanager
def serving(
    session: Any = None,
    *,
    limits: StreamLimits | None = None,
    everybody: str = "",
    sites: tuple[str, ...] = (SITE,),
    **more: Any,
) -> Iterator[Served]:
    """Run a serve; without a session it is one of the emulator, and there is a snapshot when this yields."""
    session = emulated_session() if session is None else session
    session.start()
    hub = Hub(BUILTIN, keeper="keeper-1", limits=limits)
    served = Served(hub, session)
    try:
        if isinstance(session, Session):
            session.wait(
                lambda snapshot: sum(bool(site.data_at) for site in snapshot.frame.sites) == len(sites), START_S
            )
        hub.attach(session, sites)
        served.app = app = make_app(hub, lambda: served.word, **more)
        with _running(StandInGate(app, everybody), hub) as url:
            served.url = url
            yield served
    finally:
        session.close()


@contextlib.contextmanager
def _running(app: ASGIApp, hub: Hub) -> Iterator[str]:
    listener = socket.socket()
    # What the system buffers for a client that does not read is small, so that tests of one are quick.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    config = uvicorn.Config(
        app, http=GuardedProtocol, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = _Server(config, hub)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="test-serve", daemon=True)
    thread.start()
    try:
        if not server.ready.wait(START_S):
            raise AssertionError("the serve did not start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_S)
        listener.close()
        assert not thread.is_alive()


class _Server(uvicorn.Server):
    """Tells when it is ready, ends its streams first, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._hub = hub
        self.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # its own hook

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._hub.aclose()
        await super().shutdown(sockets)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until what another thread does has happened: there is no event to wait for."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.to_thread(time.sleep, 0.005)


@dataclass
class Records:
    """Takes a stream apart, record by record, as docs/site-api.md has it."""

    rest: bytes = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        self.rest += data
        found = []
        while len(self.rest) >= 4:
            (length,) = struct.unpack_from(">I", self.rest)
            if len(self.rest) < 4 + length:
                break
            coding, body = self.rest[4], self.rest[5 : 4 + length]
            self.rest = self.rest[4 + length :]
            found.append(msgspec.msgpack.decode(zlib.decompress(body) if coding else body))
        return found


class Listener:
    """An open stream: `until(kind)` reads on until there is a record of a type."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.seen: list[dict[str, Any]] = []
        self._chunks = response.aiter_raw()
        self._records = Records()
        self._fresh: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any] | None:
        """The next record, None at the end."""
        while not self._fresh:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return None
            self._fresh = self._records.feed(chunk)
        record = self._fresh.pop(0)
        self.seen.append(record)
        return record

    async def until(self, kind: str) -> dict[str, Any]:
        while (record := await self.next()) is not None:
            if record["type"] == kind:
                return record
        raise AssertionError(f"the stream ended without {kind!r}: {[each['type'] for each in self.seen]}")

    @property
    def seq(self) -> int:
        return max((each["seq"] for each in self.seen), default=0)


@contextlib.asynccontextmanager
async def listening(served: Served, author: str = OPERATOR.author, *, site: str = SITE, **params: Any) -> Any:
    """Open a stream; yields a Listener whose hello was read."""
    async with (
        served.client(author) as client,
        client.stream("GET", f"/site/v1/{site}/stream", params=params) as answer,
    ):
        if answer.status_code != 200:
            raise AssertionError((await answer.aread()).decode())
        listener = Listener(answer)
        assert (await listener.next() or {}).get("type") == "hello"
        yield listener
