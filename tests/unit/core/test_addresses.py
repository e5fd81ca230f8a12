from __future__ import annotations

import pytest

from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.events import Event
from console.model.inventory import NodeSpec
from console.model.levels import Severity
from console.model.reading import EventsPart


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("muc1/n1/g3", "muc1/h1/r1/n1/g3"),
        ("muc1/n1.muc1.example/g3", "muc1/h1/r1/n1/g3"),
        ("muc1/n1", "muc1/h1/r1/n1"),
        ("muc1/h1/r1/n1/g3", "muc1/h1/r1/n1/g3"),
        ("muc1/h1", "muc1/h1"),
        ("muc1/stranger/g3", "muc1/stranger/g3"),
        ("hel1/n1", "hel1/n1"),
        ("muc1", "muc1"),
    ],
)
def test_an_event_of_a_node_gets_its_address(said: str, address: str) -> None:
    spec = NodeSpec("n1", hall="h1", rack="r1", aliases=("n1.muc1.example",))
    merger = SiteMerger(build_topology("muc1", [spec], declared=True), BUILTIN)
    event = Event(1.0, "muc1", said, "xid", Severity.CRITICAL, "XID 79")
    merger.apply(EventsPart((event,)), source="ssh", stale_after_s=30.0, received_at=1.0)
    assert [each.path for each in merger.frame(1.0).events] == [address]


UUID = "GPU-509665ad-b600-ac93-3616-d754b23d636d"
OTHER = "GPU-509665ad-b600-ac93-3616-d754b23d636e"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (f"muc1/n1/{UUID}", "muc1/h1/r1/n1/g1"),
        (f"muc1/n1/{OTHER}", "muc1/h1/r1/n1"),
        ("muc1/n1/GPU-nonsense", "muc1/h1/r1/n1"),
        (f"muc1/stranger/{UUID}", f"muc1/stranger/{UUID}"),
    ],
)
def test_a_gpu_that_is_named_by_its_uuid_is_found_on_that_node(said: str, address: str) -> None:
    specs = [
        NodeSpec("n1", hall="h1", rack="r1", gpus=2, gpu_uuids=("", UUID)),
        NodeSpec("n2", hall="h1", rack="r1", gpus=2, gpu_uuids=(OTHER,)),
    ]
    merger = SiteMerger(build_topology("muc1", specs, declared=True), BUILTIN)
    event = Event(1.0, "muc1", said, "xid", Severity.CRITICAL, "XID 79")
    merger.apply(EventsPart((event,)), source="logs", stale_after_s=30.0, received_at=1.0)
    assert [each.path for each in merger.frame(1.0).events] == [address]
