"""A good server for each kind of source that is read over the network, and how the fleet file names it."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from console.config.values import SiteConfig, SourceConfig, SshConfig, Timeouts
from console.model.builtin_metrics import BUILTIN
from console.sources.registry import open_source
from tests.servers import kube
from tests.servers.emulator import emulator
from tests.servers.logs import LogStore
from tests.servers.smi import fake_smi
from tests.servers.sshd import ssh_site
from tests.support.bad_http import answer, bad_server
from tests.support.fake_redfish import FakeBmc, tray
from tests.support.fake_serve import FakeServe
from tests.support.fake_slurm import FakeSlurm, job, node
from tests.support.fake_store import POWER, TEMP, FakeStore, gpu_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from console.model.ports import Source
    from tests.servers.sshd import SshSite
    from tests.support.bad_http import Request, Writer

LIMITS = Timeouts(connect_s=1.0, read_s=0.5, total_s=0.8)
MOST_BYTES = 2_000_000
GPUS = 16


@dataclass(frozen=True)
class Served:
    """A server that answers a kind well: its port, and what a source of that kind needs beside the address."""

    kind: str
    port: int
    options: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    ssh: Callable[[int], dict[str, Any]] | None = None
    site: str = ""

    def open(self, port: int) -> Source:
        """Open the source on another port (that of a proxy), for a site that is called as its kind, or `site`."""
        named = self.named(port)
        limits = {"timeouts": LIMITS, "max_body_bytes": MOST_BYTES, **self.more}
        config = SourceConfig(self.kind, "src", named.pop("url", ""), options=named, **limits)
        return open_source(SiteConfig(self.site or self.kind, ssh=self._ssh_config(port)), config, BUILTIN)

    def _ssh_config(self, port: int) -> SshConfig:
        told = self.ssh(port) if self.ssh else {}
        return SshConfig(**{key: tuple(value) if isinstance(value, list) else value for key, value in told.items()})

    def named(self, port: int) -> dict[str, Any]:
        """Return the keys of the fleet file that lead to a port."""
        options = {key: _on_port(value, port) for key, value in self.options.items()}
        return options if self.ssh or "targets" in options else {"url": f"http://127.0.0.1:{port}", **options}


def _on_port(value: Any, port: int) -> Any:
    return tuple(each.format(port=port) for each in value) if isinstance(value, tuple) else value


@asynccontextmanager
async def _store() -> AsyncIterator[Served]:
    rows = [gpu_row(name, f"n{i // 8:02d}", i % 8, "61") for name in (POWER, TEMP) for i in range(GPUS)]
    of = FakeStore(rows, time.time(), federate=True)

    async def act(request: Request, writer: Writer) -> None:
        of.now = time.time()
        status, kind, text = of.respond(request.target, request.body.decode())
        await answer(text, status, kind)(request, writer)

    async with bad_server(act) as server:
        yield Served("prometheus", server.port)


@asynccontextmanager
async def _pager() -> AsyncIterator[Served]:
    alerts = [{"fingerprint": f"{i}", "labels": {"alertname": "A", "instance": f"n{i}"}} for i in range(GPUS)]

    async def act(request: Request, writer: Writer) -> None:
        await answer(json.dumps(alerts if request.path.endswith("alerts") else []))(request, writer)

    async with bad_server(act) as server:
        yield Served("alertmanager", server.port)


@asynccontextmanager
async def _slurm() -> AsyncIterator[Served]:
    of = FakeSlurm([node("n1"), node("n2")], [job(1)])
    async with bad_server(of.behaviour) as server:
        yield Served("slurm", server.port, more={"cadence_s": 1e-6})


@asynccontextmanager
async def _emulated(kind: str) -> AsyncIterator[Served]:
    with emulator(gpus=GPUS, sites=1) as running:
        async with httpx.AsyncClient(base_url=running.url, timeout=10) as client:
            sites = (await client.get("/site/v1/sites")).json()["sites"]
        yield Served(
            kind, int(running.url.rpartition(":")[2]), options={"site": sites[0]["site"]} if kind == "site" else {}
        )


@asynccontextmanager
async def _dcgm() -> AsyncIterator[Served]:
    async with _emulated("dcgm") as served:
        yield served


@asynccontextmanager
async def _site() -> AsyncIterator[Served]:
    async with _emulated("site") as served:
        yield served


@asynccontextmanager
async def _serve() -> AsyncIterator[Served]:
    """Serve a stream that says something new five times a second."""
    of = FakeServe(nodes=GPUS // 8, beat_s=0.1)

    async def live() -> None:
        while True:
            await asyncio.sleep(0.2)
            of.warm(60 + of.seq % 20)

    async with bad_server(of.behaviour) as server:
        talking = asyncio.create_task(live())
        try:
            yield Served("site", server.port, site="serve", options={"site": of.site})
        finally:
            talking.cancel()


@asynccontextmanager
async def _logs() -> AsyncIterator[Served]:
    of = LogStore("loki")
    for i in range(GPUS):
        of.add("reboot: Restarting system", time.time() - 60, job="kernel", host=f"n{i}")
    async with bad_server(of.behaviour) as server:
        yield Served("logs", server.port)


@asynccontextmanager
async def _kubernetes() -> AsyncIterator[Served]:
    of = kube.Kube()
    for number in range(2):
        of.put("nodes", kube.node(f"n{number}"))
    with kube.kube_server(of) as running:
        yield Served("kubernetes", int(running.url.rpartition(":")[2]))


@asynccontextmanager
async def _redfish() -> AsyncIterator[Served]:
    async with bad_server(FakeBmc(tray(gpus=GPUS)).behaviour) as server:
        yield Served("redfish", server.port, more={"cadence_s": 0.4})


@asynccontextmanager
async def _ssh() -> AsyncIterator[Served]:
    """Serve two nodes behind a jump host; what is injured is the way to the jump host."""
    with tempfile.TemporaryDirectory(prefix="sshd-") as name, ssh_site(Path(name), ["n1", "n2"]) as running:
        fake_smi(running)
        yield Served("ssh", running.ports["jump"], {"nodes": "n[1-2]"}, {"cadence_s": 1.0}, _through(running))


def _through(site: SshSite) -> Callable[[int], dict[str, Any]]:
    """Return the ssh keys of a site whose jump host answers on another port, with the same host key."""
    before = f"[127.0.0.1]:{site.ports['jump']} "

    def told(port: int) -> dict[str, Any]:
        config, hosts = site.folder / f"config-{port}", site.folder / f"hosts-{port}"
        config.write_text(site.config.read_text().replace(f"Port {site.ports['jump']}\n", f"Port {port}\n"))
        hosts.write_text(site.known_hosts.read_text().replace(before, f"[127.0.0.1]:{port} "))
        return {"jump": ["jump"], "config": str(config), "known_hosts": str(hosts)}

    return told


KINDS: Mapping[str, Callable[[], Any]] = {
    "prometheus": _store,
    "site": _site,
    "serve": _serve,
    "dcgm": _dcgm,
    "alertmanager": _pager,
    "slurm": _slurm,
    "logs": _logs,
    "kubernetes": _kubernetes,
    "redfish": _redfish,
    "ssh": _ssh,
}


@asynccontextmanager
async def served(kind: str) -> AsyncIterator[Served]:
    """Start the server of a kind."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(KINDS[kind]())
