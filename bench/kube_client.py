"""`python -m bench.kube_client URL NODES SECONDS`: the source and its merger alone in a process, and what they cost."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time

from console.config.values import SiteConfig, SourceConfig, Timeouts
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.sources.registry import open_source


async def watched(url: str, nodes: int, span_s: float) -> dict[str, float]:
    """List and watch for a while; return seconds until listed, peak MB, the longest step and the share of a core."""
    merger = SiteMerger(
        build_topology("muc1", [NodeSpec(f"n{i:05d}", gpus=8) for i in range(nodes)], declared=True), BUILTIN
    )
    limits = Timeouts(total_s=120.0)
    source = open_source(SiteConfig("muc1"), SourceConfig("kubernetes", "k8s", url, timeouts=limits), BUILTIN)
    gc.disable()  # the console collects between its steps
    began = time.monotonic()
    listed_s = longest_s = steady_cpu = steady_at = 0.0
    read_at = began
    while not listed_s or time.monotonic() - began < listed_s + span_s:
        await asyncio.sleep(read_at - time.monotonic())
        reading = await source.read()
        read_at = max(read_at + reading.cadence_s, time.monotonic())
        parts, before = reading.decode(), time.thread_time()
        while (part := next(parts, None)) is not None:
            longest_s = max(longest_s, time.thread_time() - before)
            merger.apply(part, source="k8s", stale_after_s=60.0, received_at=reading.received_at)
            before = time.thread_time()
        gc.collect(0 if listed_s else 2)
        if not listed_s:
            listed_s = time.monotonic() - began
            steady_at, steady_cpu = time.monotonic(), time.process_time()
    share = 100 * (time.process_time() - steady_cpu) / (time.monotonic() - steady_at)
    frame = merger.frame(time.time())
    assert len(frame.jobs.rows) == -(-nodes // 8)
    assert int((frame.jobs.gpu_job >= 0).sum()) == nodes * 8
    await source.aclose()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"listed_s": listed_s, "peak_mb": peak_mb, "longest_s": longest_s, "share": share}


if __name__ == "__main__":
    found = asyncio.run(watched(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(json.dumps(found))
