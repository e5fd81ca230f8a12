"""What one full sweep costs, measured for `gigadeck doctor`: time, bytes, series, the server's CPU; and what to do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.model.errors import SourceError
from console.sources.prometheus.catalog import DEFAULT_INTERVAL_S
from console.sources.prometheus.small import labelled_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.config.values import SourceConfig
    from console.sources.exposition.who import Who
    from console.sources.prometheus.api import Api
    from console.sources.prometheus.catalog import Catalog
    from console.sources.prometheus.columns import Columns
    from console.sources.prometheus.sweep import Sweep

# A guest that takes more of one of the server's cores, on average, says so.
SHARE_LIMIT = 0.1
# Servers that offer no /metrics are found among what they scrape.
SERVERS = 'job=~".*(prometheus|thanos|mimir|victoria|vmsingle|vmselect).*"'
TURNS = 1000


@dataclass(frozen=True)
class SweepCost:
    """One sweep: seconds of requests, what came, CPU seconds of the server (None: not told) and of ours."""

    took_s: float
    requests: int
    wire_bytes: int
    body_bytes: int
    rows: int
    server_cpu_s: float | None
    our_cpu_s: float


async def measure_sweep(api: Api, sweep: Sweep, columns: Columns, clock: Callable[[], float]) -> SweepCost:
    """Read and decode one whole sweep with nothing between; raises SourceError."""
    api.take_counts()
    before = await api.cpu_s()
    took_s = our_cpu_s = 0.0
    body_bytes = 0
    for _ in range(TURNS):
        began, used = clock(), time.process_time()
        answers = await sweep.turn(began, clock)
        took_s += clock() - began
        for answer in answers:
            body_bytes += sum(len(content) for contents in answer.contents.values() for content in contents)
            for _part in columns.decode(answer):
                pass
        our_cpu_s += time.process_time() - used
        if not sweep.under_way:
            break
    after = await api.cpu_s()
    requests, wire_bytes = api.take_counts()
    server_cpu_s = after - before if before is not None and after is not None else None
    return SweepCost(took_s, requests, wire_bytes, body_bytes, columns.findings.rows, server_cpu_s, our_cpu_s)


async def usual_share(api: Api, who: Who) -> float | None:
    """Return the cores that the server takes on average, from its own scrapes of itself; None where there are none."""
    try:
        body = await api.query(f"sum(rate(process_cpu_seconds_total{{{SERVERS}}}[5m]))")
        rows, _ = labelled_rows(body.content, who)
    except SourceError:
        return None
    return rows[0].value[1] if rows else None


def told(cost: SweepCost, way: str, period_s: float, usual: float | None) -> dict[str, str]:
    """Return the figures in words."""
    server = "not told (no /metrics there)"
    if cost.server_cpu_s is not None:
        share = cost.server_cpu_s / period_s
        server = f"{cost.server_cpu_s:.2f} s a sweep, {share:.1%} of a core at one every {period_s:g} s"
    elif usual is not None:
        server = f"{usual:.2f} cores on average, us included"
    return {
        "sweep": f"{cost.took_s:.2f} s by {way}, {cost.requests} requests, {cost.rows:,} rows",
        "bytes": f"{cost.wire_bytes / 1e6:.1f} MB on the wire, {cost.body_bytes / 1e6:.1f} MB inflated",
        "server CPU": server,
        "our CPU": f"{cost.our_cpu_s:.2f} s a sweep",
    }


def advice(cost: SweepCost, catalog: Catalog, period_s: float, *, apart: bool, rules: bool) -> str:
    """Return what to do about a sweep that costs much, empty where nothing is to be done."""
    wanted: list[str] = []
    busy_s = max(cost.took_s / 0.5, (cost.server_cpu_s or 0.0) / SHARE_LIMIT)
    if busy_s > period_s:
        wanted.append(f"set sweep_cadence: {_round_s(busy_s)}s or more: now it takes much of the server or of the time")
    if apart and not rules:
        wanted.append(f"load `gigadeck rules` there: without them totals cost a pass over {catalog.gpus:,} series each")
    return "; ".join(wanted)


def over_budget(cost: SweepCost, period_s: float, bytes_per_s: float) -> str:
    """Return what to do where the sweep does not fit the source's own budget of bytes, empty where it does."""
    needed = cost.wire_bytes / period_s
    if not bytes_per_s or needed <= bytes_per_s:
        return ""
    return f"budget.bytes_per_s is below the {needed / 1e6:.1f} MB/s that sweeps need: raise it or sweep_cadence"


@dataclass(frozen=True, eq=False)
class Measuring:
    """What a measurement needs: a sweep and columns of its own, and how the source is set up."""

    api: Api
    sweep: Sweep
    columns: Columns
    catalog: Catalog
    config: SourceConfig
    rules: bool
    who: Who

    async def run(self, clock: Callable[[], float]) -> dict[str, str]:
        """Return the figures of one sweep, and `advice` where something should be done; raises SourceError."""
        if self.sweep.way == "off":
            return {"sweep": "off: " + ("recording rules alone" if self.rules else "aggregates alone, without rules")}
        cost = await measure_sweep(self.api, self.sweep, self.columns, clock)
        apart = bool(self.sweep.period_s)
        period_s = self.sweep.period_s or self.config.cadence_s or self.catalog.interval_s or DEFAULT_INTERVAL_S
        usual = await usual_share(self.api, self.who) if cost.server_cpu_s is None else None
        wanted = [
            advice(cost, self.catalog, period_s, apart=apart, rules=self.rules),
            over_budget(cost, period_s, self.config.budget.bytes_per_s),
        ]
        figures = told(cost, self.sweep.way, period_s, usual)
        said = "; ".join(each for each in wanted if each)
        return {**figures, "advice": said} if said else figures


def _round_s(seconds: float) -> int:
    return int(-(-seconds // 15) * 15)
