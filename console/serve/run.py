"""Runs a serve until it is told to stop: listeners, threads, signals, systemd's watchdog, reloads."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import uvicorn

from console.engine.clock import SystemClock
from console.engine.threads import LagMeter
from console.model.errors import ConfigErrors, ConsoleError
from console.serve import logs
from console.serve.app import make_app
from console.serve.door import Book, Door
from console.serve.gate import Gate, Rules
from console.serve.heartbeat import HeartbeatSender
from console.serve.hub import Hub
from console.serve.listeners import (
    advertised,
    is_reachable,
    more_descriptors,
    open_listeners,
    renew_certificates,
    tls_context,
)
from console.serve.office import Office
from console.serve.own_routes import OwnRoutes
from console.serve.own_state import metrics_text, readiness
from console.serve.parts import Parts
from console.serve.protocol import LONGEST_HEAD, GuardedProtocol
from console.serve.stage import Stage
from console.serve.stream_limits import StreamLimits
from console.serve.systemd import Notifier, passed_sockets
from console.serve.upkeep import Upkeep

if TYPE_CHECKING:
    import ssl

    from console.serve.listeners import Listener
    from console.serve.role import Standing
    from console.serve.setup import Plan, ServeSetup

GRACE_S = 3
WATCH_S = 1.0
# A compute thread that publishes nothing for so long hangs; systemd then starts us anew.
HUNG_S = 60.0

log = logging.getLogger("console.serve")


def serve(setup: ServeSetup) -> int:
    """Serve until SIGTERM or SIGINT; return 0. Raises ConsoleError for what keeps it from starting."""
    plan = setup.load()
    logs.set_up(setup.log_level)
    _require_memory(plan)
    listeners = open_listeners(plan.config, passed_sockets(setup.environment))
    try:
        context = tls_context(plan.config.tls)
        asyncio.run(Serving(setup, plan, listeners, context).run())
    finally:
        for each in listeners:
            each.close()
    return 0


def _require_memory(plan: Plan) -> None:
    """Raise StateError where a file cannot be our memory: a database that is away comes back, a file does not."""
    if not plan.state:
        return
    from console.state.address import SQLITE, parse_address
    from console.state.store import open_store

    if parse_address(plan.state, plan.base).kind == SQLITE:
        open_store(plan.state, realm=plan.realm, base=plan.base).close()


class Serving:
    """One run; everything here happens on its loop."""

    def __init__(
        self, setup: ServeSetup, plan: Plan, listeners: tuple[Listener, ...], context: ssl.SSLContext | None
    ) -> None:
        self._setup = setup
        self._plan = plan
        self._listeners = listeners
        self._context = context
        self._notifier = Notifier(setup.environment)
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False
        address = advertised(plan.config, listeners)
        limits = plan.config.limits
        hub = Hub(plan.metrics, keeper=setup.keeper, limits=StreamLimits(streams=limits.streams))
        office = Office(plan, setup.keeper, address, self._role_changed, shown_term=lambda: stage.shown_term)
        stage = Stage(hub, plan, office.fence)
        app = OwnRoutes(make_app(hub, office.word), lambda: readiness(self.parts), lambda: metrics_text(self.parts))
        gate = Gate(app, Rules.of(plan.config.roles, limits, office.tokens, time.monotonic), time.monotonic)
        book = Book(more_descriptors(limits.connections))
        lag = LagMeter(SystemClock(), asyncio.sleep, lambda: None)
        self.parts = Parts(setup.keeper, time.time, hub, office, stage, self._heartbeat(plan, office), gate, book, lag)
        self._upkeep = Upkeep(self.parts)
        self._server = _Server(self._config(gate), listeners, context, book)

    async def run(self) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._tasks = [
            loop.create_task(work, name=name)
            for name, work in (
                ("lag", self.parts.lag.run()),
                ("heartbeat", self.parts.heartbeat.run()),
                ("watch", self._watch()),
            )
        ]
        self.parts.stage.start()
        self.parts.office.start()
        self._upkeep.start()
        try:
            await self._server.serve()
        finally:
            await self._end()

    def announce(self) -> None:
        """Say where we listen, to the log and to systemd."""
        urls = " and ".join(each.url for each in self._listeners)
        sites = ", ".join(self._plan.sites)
        log.warning("gigadeck serve: %s at %s as %s", sites, urls, self._setup.keeper)
        self._notifier.ready(f"serves {sites} at {urls}")
        address = advertised(self._plan.config, self._listeners)
        if self._plan.state.startswith("postgres") and not is_reachable(address):
            log.warning(
                "a second serve on another host cannot follow us at %s; name an address under `advertise`", address
            )

    def _config(self, gate: Gate) -> uvicorn.Config:
        return uvicorn.Config(
            gate,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=LONGEST_HEAD,
            timeout_graceful_shutdown=GRACE_S,
        )

    def _heartbeat(self, plan: Plan, office: Office) -> HeartbeatSender:
        return HeartbeatSender(
            plan.config.heartbeat,
            fleet=plan.fleet,
            sites=plan.sites,
            keeper=self._setup.keeper,
            acts=lambda: office.acts,
            clock=time.time,
            base_dir=str(plan.base or ""),
        )

    def _role_changed(self, standing: Standing) -> None:
        """Hear from the office's thread."""
        self.parts.stage.show(standing)
        self._notifier.status(f"{standing.part.value} of {', '.join(self._plan.sites)}")

    def _stop(self) -> None:
        """End: streams are told, what is being answered is waited for, but not for long. A second time: at once."""
        if self._ending:
            self._server.force_exit = True
            return
        self._ending = True
        log.info("we end")
        self._notifier.stopping()
        self._tasks.append(asyncio.get_running_loop().create_task(self._farewell(), name="farewell"))

    async def _farewell(self) -> None:
        try:
            await self.parts.hub.aclose()
        finally:
            self._server.should_exit = True

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._ending:
            await self.parts.hub.aclose()
        # The session first: what it still has to write carries the number of an office that we hold.
        self._upkeep.close()
        await asyncio.to_thread(self.parts.stage.close)
        await asyncio.to_thread(self.parts.office.close)

    async def _watch(self) -> None:
        """Announce when we listen, then feed the watchdog while the engine goes on publishing."""
        await self._server.opened.wait()
        self.announce()
        period_s = min(WATCH_S, self._notifier.watchdog_s / 3 or WATCH_S)
        seen, since = -1, time.monotonic()
        while True:
            await asyncio.sleep(period_s)
            session = self.parts.stage.session
            latest = session.latest() if session is not None else None
            seq, now = (latest.seq if latest is not None else -1), time.monotonic()
            if seq != seen or session is None:
                seen, since = seq, now
            if now - since < HUNG_S:
                self._notifier.alive()

    def _reload(self) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._read_anew(), name="reload"))

    async def _read_anew(self) -> None:
        """Go by the fleet file as it is now; one that has faults is refused with all of them, and nothing changes."""
        self._notifier.reloading()
        try:
            plan = await asyncio.to_thread(self._setup.load)
            if self._context is not None:
                renew_certificates(self._context, plan.config.tls)
        except ConsoleError as error:
            faults = error.errors if isinstance(error, ConfigErrors) else (error,)
            self.parts.reload_fault = str(error)
            for fault in faults:
                log.error("the configuration is refused, the old one goes on: %s", fault)
        else:
            self._go_by(plan)
        self._notifier.ready(f"serves {', '.join(self._plan.sites)}")

    def _go_by(self, plan: Plan) -> None:
        old, self._plan = self._plan, plan
        self.parts.reloads, self.parts.reload_fault = self.parts.reloads + 1, ""
        rules = Rules.of(plan.config.roles, plan.config.limits, self.parts.office.tokens, time.monotonic)
        rules.streams = self.parts.gate.rules.streams.limited_to(plan.config.limits.streams)
        self.parts.gate.rules = rules
        anew = self.parts.stage.replan(plan)
        if plan.config.heartbeat != old.config.heartbeat:
            self._beat_anew(plan)
        for what in _needs_restart(old, plan):
            log.warning("the new %s counts from the next start on", what)
        log.info("the configuration was read anew%s", "; the sources are opened anew" if anew else "")

    def _beat_anew(self, plan: Plan) -> None:
        for task in self._tasks:
            if task.get_name() == "heartbeat":
                task.cancel()
        self.parts.heartbeat = self._heartbeat(plan, self.parts.office)
        work: Any = self.parts.heartbeat.run()
        self._tasks.append(asyncio.get_running_loop().create_task(work, name="heartbeat"))


def _needs_restart(old: Plan, new: Plan) -> list[str]:
    """Return what cannot be changed while we run."""
    fixed = (
        ("listen, socket or advertise", lambda p: (p.config.listen, p.config.socket, p.config.advertise)),
        ("kind of TLS", lambda p: (bool(p.config.tls.cert_file), p.config.tls.client_ca)),
        ("limit of connections", lambda p: p.config.limits.connections),
        ("state", lambda p: (p.state, p.realm)),
    )
    return [what for what, part in fixed if part(old) != part(new)]


class _Server(uvicorn.Server):
    """uvicorn's server with doors of ours in place of asyncio's, and without its way with signals."""

    def __init__(
        self, config: uvicorn.Config, listeners: tuple[Listener, ...], context: ssl.SSLContext | None, book: Book
    ) -> None:
        super().__init__(config)
        self._listeners = listeners
        self._context = context
        self._book = book
        self.opened = asyncio.Event()

    async def serve(self, sockets: Any = None) -> None:
        """Serve until `should_exit`."""
        await self._serve(sockets)

    async def startup(self, sockets: Any = None) -> None:
        """Open the doors."""
        await self.lifespan.startup()
        self.servers = [Door(each, self._context, self._book, self._protocol) for each in self._listeners]  # type: ignore[misc]  # what it uses of them is there
        for door in self.servers:
            door.start()  # type: ignore[attr-defined]  # the same
        self.started = True
        self.opened.set()

    def _protocol(self) -> GuardedProtocol:
        return GuardedProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def shutdown(self, sockets: Any = None) -> None:
        """Close the doors, wait a moment for answers, and close whatever is left."""
        with suppress(Exception):
            await super().shutdown(sockets)
        for entry in self._book.everybody():
            entry.hang_up()
