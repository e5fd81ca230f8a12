from __future__ import annotations

import pytest

from console.core.inventory import build_topology
from console.core.subjects import names_of, subject_of
from console.model.inventory import NodeSpec
from console.model.ports import Subject
from tests.support import panels

UUID = "GPU-509665ad-b600-ac93-3616-d754b23d636d"


def test_a_node_is_known_by_all_its_names() -> None:
    specs = [
        NodeSpec("n1", hall="h1", rack="r1", aliases=("n1.muc1.example",), serial="S1", bmc="10.0.0.1"),
        NodeSpec("n2", hall="h1", rack="r1", aliases=("n2.muc1.example",)),
    ]
    topology = build_topology("muc1", specs)
    assert set(names_of(topology, 0)) == {"n1.muc1.example", "S1", "10.0.0.1"}
    assert set(names_of(topology, 1)) == {"n2.muc1.example"}


def test_a_gpu_has_its_node_its_slot_and_its_uuid() -> None:
    subject = subject_of(panels.normal().frame, "muc1/h1/r001/n0001/g3")
    assert subject is not None
    assert (subject.node, subject.gpu, subject.job) == ("n0001", 3, "")
    assert subject.uuid.startswith("GPU-")


@pytest.mark.parametrize(
    ("row", "subject"),
    [
        ("job:muc1/4711", Subject("muc1", "job:muc1/4711", job="4711")),
        ("job:muc1/4711_[1-8%2]@a", Subject("muc1", "job:muc1/4711_[1-8%2]@a", job="4711_[1-8%2]")),
        ("job:nowhere/4711", None),
        ("job:", None),
        ("job:unknown", None),
        ("muc1", None),
        ("muc1/h1/r001", None),
        ("muc1/h1/r001/none", None),
        ("check:hot", None),
        ("", None),
    ],
)
def test_what_a_row_stands_for(row: str, subject: Subject | None) -> None:
    assert subject_of(panels.normal().frame, row) == subject
