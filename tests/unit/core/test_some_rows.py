from __future__ import annotations

import numpy as np

from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.model.reading import ColumnPart, InOrder, SomeRows, TopologyPart


def site(*names: str, version: int = 1):
    specs = [NodeSpec(name=name, hall="h1", rack="r1", gpus=2) for name in names]
    return build_topology("muc1", specs, version=version, declared=True)


def part(keys, values, at: float = 10.0) -> ColumnPart:
    return ColumnPart("temp_c", keys, np.array(values, np.float32), np.full(len(values), at), full=False)


def merged(*parts) -> list[float]:
    merger = SiteMerger(site(), BUILTIN)
    for each in parts:
        merger.apply(each, source="site", stale_after_s=60, received_at=10.0)
    return merger.frame(10.0).columns["temp_c"].values.tolist()


def test_some_rows_change_those_and_no_others() -> None:
    topology = site("a", "b")
    whole = part(InOrder("gpu", 1, 4), [10, 20, 30, 40])
    assert merged(TopologyPart(topology), whole, part(SomeRows("gpu", 1, np.array([2, 0], np.int32)), [33, 11])) == [
        11.0,
        20.0,
        33.0,
        40.0,
    ]


def test_rows_of_another_version_go_where_that_version_had_them() -> None:
    merger = SiteMerger(site(), BUILTIN)
    for each in (TopologyPart(site("b", "c")), TopologyPart(site("a", "b", "c", version=2))):
        merger.apply(each, source="site", stale_after_s=60, received_at=10.0)
    merger.apply(
        part(SomeRows("gpu", 1, np.array([0, 3], np.int32)), [1, 2]), source="site", stale_after_s=60, received_at=10.0
    )
    values = merger.frame(10.0).columns["temp_c"].values
    assert np.flatnonzero(~np.isnan(values)).tolist() == [2, 5]


def test_rows_beyond_the_topology_go_nowhere() -> None:
    topology = site("a", "b")
    whole = part(InOrder("gpu", 1, 4), [10, 20, 30, 40])
    beyond = part(SomeRows("gpu", 1, np.array([0, 4], np.int32)), [1, 2])
    assert merged(TopologyPart(topology), whole, beyond) == [10.0, 20.0, 30.0, 40.0]
