from __future__ import annotations

import time
from dataclasses import replace

import httpx
import pytest

from console.config.values import SourceConfig
from console.model.builtin_metrics import BUILTIN
from console.model.errors import SourceError
from console.sources.prometheus.cost import SweepCost, over_budget
from console.sources.prometheus.source import PrometheusSource
from tests.support.fake_store import POWER, TEMP, FakeStore, gpu_row


class Metered(FakeStore):
    """A store that says how much CPU it has used: so much more for each answer of a sweep."""

    cpu_s = 10.0
    cost_s = 0.0

    def respond(self, target: str, form: str = "") -> tuple[int, str, str]:
        if target.startswith("/metrics"):
            return 200, "text/plain", f"process_cpu_seconds_total {self.cpu_s}\n"
        if target.startswith("/federate") and "no_such_series" not in target:
            self.cpu_s += self.cost_s
        return super().respond(target, form)


def store(kind: type[FakeStore] = Metered) -> FakeStore:
    rows = [gpu_row(name, f"n{i // 8:02d}", i % 8, f"{60 + i % 20}") for name in (POWER, TEMP) for i in range(16)]
    return kind(rows, time.time(), federate=True)


async def diagnosed(of: FakeStore, **more: object) -> dict[str, str]:
    config = replace(SourceConfig("prometheus", "p", "http://x.example"), **more)  # type: ignore[arg-type]
    source = PrometheusSource("muc1", config, BUILTIN, transport=of.transport(), monotonic=lambda: 0.0)
    try:
        return dict(await source.diagnose())
    finally:
        await source.aclose()


async def test_a_cheap_sweep_is_told_in_figures_and_without_advice() -> None:
    told = await diagnosed(store())
    assert told["sweep"].endswith("by federate, 6 requests, 32 rows")
    assert told["server CPU"] == "0.00 s a sweep, 0.0% of a core at one every 15 s"
    assert "advice" not in told


async def test_a_dear_sweep_says_what_to_set() -> None:
    of = store()
    of.cost_s = 2.0  # type: ignore[attr-defined]  # the kind that has it
    told = await diagnosed(of)
    assert told["server CPU"] == "4.00 s a sweep, 26.7% of a core at one every 15 s"
    assert told["advice"].startswith("set sweep_cadence: 45s or more")


async def test_rules_are_advised_where_aggregates_go_without() -> None:
    assert "load `gigadeck rules`" in (await diagnosed(store(), options={"sweep_cadence": 1.0}))["advice"]


def test_a_budget_that_sweeps_do_not_fit_into_is_said() -> None:
    cost = SweepCost(2.0, 20, 60_000_000, 500_000_000, 1_600_000, 1.0, 1.0)
    assert over_budget(cost, 60.0, 0.0) == ""
    assert over_budget(cost, 60.0, 2e6) == ""
    assert over_budget(cost, 60.0, 5e5).startswith("budget.bytes_per_s is below the 1.0 MB/s")


async def test_a_server_that_tells_nothing_of_itself_is_not_guessed() -> None:
    told = await diagnosed(store(FakeStore))
    assert told["server CPU"] in ("not told (no /metrics there)", f"{60:.2f} cores on average, us included")


async def test_no_sweep_is_done_where_none_is_wanted() -> None:
    told = await diagnosed(store(), options={"sweep": "off"})
    assert told == {"sweep": "off: aggregates alone, without rules"}


async def test_a_store_that_is_gone_is_the_usual_error() -> None:
    source = PrometheusSource(
        "muc1",
        SourceConfig("prometheus", "p", "http://x.example"),
        BUILTIN,
        transport=httpx.MockTransport(lambda _: httpx.Response(500)),
    )
    with pytest.raises(SourceError, match="muc1/p: "):
        await source.diagnose()
    await source.aclose()
