"""200 nodes through one jump host: real sshd on loopback, 5 % hang, 10 % log in slowly, one refuses the key."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.measure import Figure

if TYPE_CHECKING:
    from console.sources.ssh.source import SshSource
    from tests.servers.sshd import SshSite

NODES, SERVERS, PERIOD_S = 200, 8, 5.0
SHOWN_RATIO, SLOW_S = 0.85, 3.0
# As little as can be: what is measured is not the cost of eight GPUs' worth of shell on this machine.
SMI = r"""#!/bin/sh
case "$*" in *--help-query-gpu*) printf '"%s"\n' index uuid pci.bus_id name count utilization.gpu temperature.gpu \
  power.draw power.limit clocks.current.sm memory.used memory.free ecc.errors.uncorrected.volatile.total; exit;; esac
while :; do
  printf '%s, GPU-x-%s, 0000:0%s:00.0, H100, 8, 99, 66, 500.25, 700.00, 1980, 4096, 4096, 0\n' \
    0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7 7 7
  sleep 5
done
"""


def run(*, quick: bool) -> list[Figure]:
    """Return the time until 85 % of the nodes are shown, and CPU and memory of the steady state."""
    from tests.servers.sshd import ssh_site

    with tempfile.TemporaryDirectory() as folder:
        os.environ["GIGADECK_STATE_DIR"] = f"{folder}/state"
        (Path(folder) / "sshd").mkdir()
        names = [f"t{number}" for number in range(SERVERS)]
        with ssh_site(Path(folder) / "sshd", [*names, "bad"]) as site:
            site.program("nvidia-smi", SMI)
            site.options = f"Match LocalPort {site.ports['bad']}\n  AuthorizedKeysFile {site.folder}/stranger.pub\n"
            site.kill("bad")
            site.start("bad")
            return asyncio.run(_measured(site, 15.0 if quick else 40.0))


async def _measured(site: SshSite, steady_s: float) -> list[Figure]:
    async with AsyncExitStack() as stack:
        hanging = await stack.enter_async_context(await asyncio.start_server(_hang, "127.0.0.1", 0))
        slow = await stack.enter_async_context(await asyncio.start_server(_slowly(site.ports["t0"]), "127.0.0.1", 0))
        ports = {"hang": hanging.sockets[0].getsockname()[1], "slow": slow.sockets[0].getsockname()[1]}
        _name_nodes(site, ports)
        process = psutil.Process()
        before = process.memory_info().rss
        source = _source(site)
        shown_s = await _until_shown(source)
        started, cpu = time.monotonic(), time.process_time()
        while time.monotonic() - started < steady_s:
            for _ in (await source.read()).decode():
                pass
            await asyncio.sleep(1.0)
        share = 100 * (time.process_time() - cpu) / (time.monotonic() - started)
        more_mb = (process.memory_info().rss - before) / 1e6
        await source.aclose()
    note = f"{NODES} nodes on {SERVERS} sshd of this machine; 5 % hang, 10 % take {SLOW_S:g} s, one refuses the key"
    return [
        Figure("SSH: 85 % of 200 nodes behind one jump host shown", shown_s, "s", must=5.0, note=note),
        Figure("SSH: 200 streams every 5 s, one core", share, "%", must=15.0),
        Figure("SSH: 200 streams, more memory", more_mb, "MB", must=120.0),
    ]


def _source(site: SshSite) -> SshSource:
    from console.config.values import SiteConfig, SourceConfig, SshConfig
    from console.model.builtin_metrics import BUILTIN
    from console.sources.ssh import open as open_ssh

    ssh = SshConfig(jump=("jump",), config=str(site.config), known_hosts=str(site.known_hosts))
    options = {"nodes": f"n[000-{NODES - 1:03d}]", "kernel_log": "off"}
    return open_ssh(
        SiteConfig("lab", ssh=ssh), SourceConfig("ssh", "ssh", cadence_s=PERIOD_S, options=options), BUILTIN
    )


def _name_nodes(site: SshSite, ports: dict[str, int]) -> None:
    """Give every node its server: by `Host` in the configuration, before what is there for all."""
    names: dict[int, list[str]] = {}
    for number in range(NODES):
        server = f"t{number % SERVERS}"
        name = "hang" if number % 20 == 7 else "slow" if number % 10 == 3 else "bad" if number == 50 else server
        names.setdefault(ports.get(name) or site.ports[name], []).append(f"n{number:03d}")
    blocks = (f"Host {' '.join(nodes)}\n  HostName 127.0.0.1\n  Port {port}\n" for port, nodes in names.items())
    text = "".join(blocks)
    site.config.write_text(text + site.config.read_text())
    key = " ".join((site.folder / "t0_host.pub").read_text().split()[:2])
    with site.known_hosts.open("a") as file:
        file.write(f"[127.0.0.1]:{ports['slow']} {key}\n")


async def _until_shown(source: SshSource) -> float:
    from console.model.reading import ColumnPart

    started = time.monotonic()
    while time.monotonic() - started < 60:
        parts = [part for part in (await source.read()).decode() if isinstance(part, ColumnPart)]
        if parts and len(set(parts[0].keys.nodes)) >= SHOWN_RATIO * NODES:  # type: ignore[union-attr]  # GPU keys
            return time.monotonic() - started
        await asyncio.sleep(0.2)
    raise RuntimeError("85 % of the nodes did not come within a minute")


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.CancelledError):
        await reader.read()
    writer.close()


def _slowly(port: int):  # type: ignore[no-untyped-def]  # asyncio's own shape of a callback
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError, OSError):
            await asyncio.sleep(SLOW_S)
            back, forth = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, forth), _copy(back, writer))

    return act


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
