from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from console.config.values import SiteConfig, SourceConfig
from console.model.errors import SourceError
from console.model.levels import Severity
from console.model.reading import ColumnPart
from console.sources.redfish.logs import Mark, fresh
from console.sources.redfish.source import RedfishSource
from console.sources.redfish.values import LogEntry
from tests.support.fake_redfish import LEAK, FakeBmc, transport, tray

GOOD = tray(gpus=1)
odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.just([]), st.just({})
)
PLACES = sorted((path, key) for path, resource in GOOD.items() for key in resource)


def keeps_leak(spoilt: list[tuple[tuple[str, str], Any]]) -> bool:
    return not any(path == LEAK for (path, _), _ in spoilt)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(PLACES), odd), max_size=4))
async def test_whatever_a_bmc_writes_in_a_property_the_others_are_read_and_a_leak_is_never_called_dry(
    spoilt: list[tuple[tuple[str, str], Any]],
) -> None:
    resources = copy.deepcopy(GOOD)
    resources[LEAK]["DetectorState"] = "Critical"
    for (path, key), value in spoilt:
        resources[path][key] = value
    config = SourceConfig("redfish", "bmc", options={"targets": ["odd", "good"]})
    source = RedfishSource(
        SiteConfig("muc1"), config, transport=transport({"odd": FakeBmc(resources), "good": FakeBmc(GOOD)})
    )
    try:
        reading = await source.read()
    except SourceError as error:  # only where nobody answers
        raise AssertionError(f"the good BMC was not read: {error}") from error
    leaks = {
        name: float(value)
        for part in reading.decode()
        if isinstance(part, ColumnPart) and part.metric == "leak"
        for name, value in zip(part.keys.names, part.values, strict=True)  # type: ignore[union-attr]
    }
    assert leaks["good"] == 0
    if keeps_leak(spoilt):
        assert leaks.get("odd") != 0
    await source.aclose()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_each_log_entry_is_news_once(grown_by: list[int]) -> None:
    now, mark, log, told = 2_000_000_000.0, Mark(), [], []
    fresh([], mark, now)
    for step in grown_by:
        log += [LogEntry(now + len(log) + i, Severity.INFO, "x", str(len(log) + i)) for i in range(step)]
        told += fresh(log[-50:], mark, now)
    assert [entry.id for entry in told] == [entry.id for entry in log]
