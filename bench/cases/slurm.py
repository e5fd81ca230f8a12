"""12,500 nodes and 10,000 jobs, decoded and merged, beside msgspec's decode of the same bytes into plain structs."""

from __future__ import annotations

import gc
import statistics
import time
from itertools import cycle
from typing import TYPE_CHECKING

from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.sources.slurm.shown import Readers

NODES, JOBS = 12_500, 10_000


def run(*, quick: bool) -> list[Figure]:
    """Return the figure of a turn in which a tenth of the nodes and jobs has changed, and its longest step."""
    import msgspec

    from bench.slurm_body import jobs_body, nodes_body
    from console.sources.slurm.bodies import JobsBody, NodesBody

    phases = [(nodes_body(NODES, phase), jobs_body(JOBS, NODES, phase)) for phase in range(2)]
    node_decoder, job_decoder = msgspec.json.Decoder(NodesBody), msgspec.json.Decoder(JobsBody)
    turn = _Turn()
    for nodes, jobs in phases:
        turn.take(nodes, jobs)
    turns = cycle(phases)
    ours, reference = _alternately(
        lambda: turn.take(*next(turns)),
        lambda: (node_decoder.decode(phases[0][0]), job_decoder.decode(phases[0][1])),
        5 if quick else 15,
    )
    frame = turn.merger.frame(1.8e9)
    assert len(frame.jobs.rows) == JOBS
    assert int((frame.jobs.gpu_job >= 0).sum()) == NODES * 8
    size = f"{sum(map(len, phases[0])) / 1e6:.0f} MB of JSON; a tenth of it new"
    name = "decode + merge of Slurm's 12,500 nodes and 10,000 jobs"
    longest = Figure("its longest step", statistics.median(turn.longest_s) * 1000, "ms", must=10)
    printed = Figure("longest step of the same as scontrol prints it", _printed() * 1000, "ms", must=10)
    return [Figure(name, ours, "s", reference, "msgspec into the same structs", must=1.5, note=size), longest, printed]


def _printed() -> float:
    """Return the longest step of the median turn over SSH, seconds, after two turns in which all is new."""
    from bench.slurm_printed import printed_jobs, printed_nodes
    from console.sources.slurm.shown import Cluster, readers_of

    phases = [(printed_nodes(NODES, phase), printed_jobs(JOBS, NODES, phase)) for phase in range(2)]
    turn = _Turn(readers_of(Cluster("24.05.3", "muc")))
    for number in range(7):
        gc.collect()
        gc.disable()
        turn.take(*phases[number % 2])
        gc.enable()
    assert len(turn.merger.frame(1.8e9).jobs.rows) == JOBS
    return statistics.median(turn.longest_s[2:])


class _Turn:
    """A site of as many nodes, and what a turn does with two bodies."""

    def __init__(self, printed: Readers | None = None) -> None:
        from console.core.inventory import build_topology
        from console.core.merge import SiteMerger
        from console.model.builtin_metrics import BUILTIN
        from console.model.errors import ServerFailed
        from console.model.inventory import NodeSpec
        from console.sources.slurm.bodies import Who
        from console.sources.slurm.lists import Lists

        nodes = [NodeSpec(f"n{i:05d}", gpus=8) for i in range(NODES)]
        self.merger = SiteMerger(build_topology("muc1", nodes, declared=True), BUILTIN)
        self.lists = Lists(Who("muc1", "slurm"), "", lambda text: ServerFailed("muc1", "slurm", text), printed)
        self.longest_s: list[float] = []

    def take(self, nodes: bytes, jobs: bytes) -> None:
        from console.link.answers import Body

        # Time of this thread: how long a step holds the interpreter, whatever else the machine does.
        longest_s, before = 0.0, time.thread_time()
        for what, content in (("nodes", nodes), ("jobs", jobs)):
            for part in self.lists.decode(what, Body(content, 200, {}, 1.8e9, 0.0, 0, None), 0.0, {}):
                decoded = time.thread_time()
                self.merger.apply(part, source="slurm", stale_after_s=90.0, received_at=1.8e9)
                now = time.thread_time()
                longest_s, before = max(longest_s, decoded - before, now - decoded), now
        before = time.thread_time()
        self.merger.frame(1.8e9)
        self.longest_s.append(max(longest_s, time.thread_time() - before))


def _alternately(ours: Callable[[], object], reference: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the median seconds of each, after a call of each to warm it."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for each, function in zip(times, (ours, reference), strict=True):
            gc.collect()
            gc.disable()  # the console's engine chooses the times of the collector
            started = time.perf_counter()
            function()
            took_s = time.perf_counter() - started
            gc.enable()
            if number:
                each.append(took_s)
    return statistics.median(times[0]), statistics.median(times[1])
