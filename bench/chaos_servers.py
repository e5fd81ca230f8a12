"""Every kind of source behind proxies that are injured at random, in a process of its own; prints a fleet file's sites.

`python -m bench.chaos_servers SEED`: after the sites it waits for SIGUSR1, then changes one proxy's fault every second
or two; at SIGUSR2 all faults end. Runs until killed.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.kinds import KINDS, Served, served

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP_S = (0.5, 2.0)


def site(of: Served, port: int) -> dict[str, Any]:
    """Return the site of one source, as a fleet file has it."""
    limits = {"connect": "1s", "read": "1s", "total": "3s"}
    source = {"kind": of.kind, "name": "src", "timeouts": limits, **of.named(port)}
    return {"name": of.site or of.kind, "sources": [source]}


async def injure(proxies: Sequence[FaultProxy], chance: random.Random, ended: asyncio.Event) -> None:
    """Change faults at random until the end, then heal all."""
    faults = list(Fault)
    while not ended.is_set():
        await chance.choice(proxies).suffer(chance.choice(faults))
        try:
            async with asyncio.timeout(chance.uniform(*GAP_S)):
                await ended.wait()
        except TimeoutError:
            continue
    for proxy in proxies:
        await proxy.suffer(Fault.NONE)


async def main(seed: int) -> None:
    """Serve."""
    begun, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, begun.set)
    loop.add_signal_handler(signal.SIGUSR2, ended.set)
    async with AsyncExitStack() as stack:
        proxies, sites = [], []
        for kind in KINDS:
            of = await stack.enter_async_context(served(kind))
            proxy = await stack.enter_async_context(fault_proxy(of.port))
            proxies.append(proxy)
            sites.append(site(of, proxy.port))
        print(json.dumps(sites), flush=True)
        await begun.wait()
        await injure(proxies, random.Random(seed), ended)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
