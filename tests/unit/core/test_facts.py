from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.expr import compile_expression
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.core.query import select
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.model.levels import Level
from console.model.reading import ColumnPart, FactsPart, NamedKeys, TopologyPart
from console.model.snapshot import Frame, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

NOW = 1_800_000_000.0


def topology(*nodes: str, version: int = 1) -> SiteTopology:
    return build_topology("muc1", [NodeSpec(node, gpus=2) for node in nodes], version=version, declared=True)


def merger(*nodes: str) -> SiteMerger:
    return SiteMerger(topology(*nodes), BUILTIN)


def tell(
    to: SiteMerger, fact: str, nodes: Sequence[str], values: Sequence[str], source: str = "smi", at: float = NOW
) -> None:
    part = FactsPart(fact, NamedKeys("node", tuple(nodes)), tuple(values), at)
    to.apply(part, source=source, stale_after_s=60.0, received_at=NOW)


def texts(frame: SiteFrame, source: str, fact: str) -> list[str | None]:
    facts = frame.facts[source, fact]
    return [facts.texts[code] if code >= 0 else None for code in facts.codes.tolist()]


def test_facts_stand_on_the_rows_of_their_nodes() -> None:
    site = merger("n1", "n2", "n3")
    tell(site, "driver", ["n3.example.org", "n1"], ["570.1", "580.2"])
    assert texts(site.frame(NOW), "smi", "driver") == ["580.2", None, "570.1"]


def test_a_node_that_a_part_does_not_name_keeps_its_fact_and_an_empty_text_takes_it_back() -> None:
    site = merger("n1", "n2", "n3")
    tell(site, "driver", ["n1", "n2", "n3"], ["580.2", "580.2", "570.1"])
    tell(site, "driver", ["n2", "n3"], ["", "590.0"])
    facts = site.frame(NOW).facts["smi", "driver"]
    assert texts(site.frame(NOW), "smi", "driver") == ["580.2", None, "590.0"]
    assert facts.texts == ("580.2", "590.0")


def test_facts_follow_their_nodes_to_another_topology() -> None:
    site = merger("n1", "n2")
    tell(site, "vbios", ["n1", "n2"], ["a", "b"])
    moved = TopologyPart(topology("n0", "n2", "n3", version=2))
    site.apply(moved, source="inventory", stale_after_s=60.0, received_at=NOW)
    frame = site.frame(NOW)
    assert texts(frame, "smi", "vbios") == [None, "b", None]
    domain = frame.domains["vbios"]
    assert domain.names == ("a", "b")
    assert domain.members.tolist() == [1]
    assert domain.starts.tolist() == [0, 0, 1]


def test_the_voice_that_spoke_last_is_the_field_of_the_node() -> None:
    site = merger("n1", "n2")
    tell(site, "driver", ["n1", "n2"], ["580.1", "580.1"], source="dcgm", at=NOW - 60)
    tell(site, "driver", ["n2"], ["580.2"], source="smi", at=NOW)
    frame = site.frame(NOW)
    expression = compile_expression('driver == "580.2"', BUILTIN, Level.NODE)
    assert expression.evaluate(frame, NOW).true.tolist() == [False, True]
    gpus = compile_expression('driver == "580.1"', BUILTIN, Level.GPU).evaluate(frame, NOW)
    assert gpus.true.tolist() == [True, True, False, False]


def test_rows_can_be_grouped_by_a_fact() -> None:
    site = merger("n1", "n2", "n3")
    tell(site, "vbios", ["n1", "n2", "n3"], ["a", "b", "a"])
    temperatures = np.array([50, 60, 70], dtype=np.float32)
    keys = NamedKeys("node", ("n1", "n2", "n3"))
    power = ColumnPart("host_power_w", keys, temperatures, np.full(3, NOW))
    site.apply(power, source="smi", stale_after_s=60.0, received_at=NOW)
    frame = site.frame(NOW)
    rows = select(
        Snapshot(1, Frame(NOW, "f", BUILTIN, (frame,))), Level.NODE, by="vbios", fields=("nodes", "host_power_w")
    )
    assert list(rows.ids) == ["muc1/vbios:a", "muc1/vbios:b"]
    assert list(rows.columns["nodes"]) == [2, 1]


def test_a_fact_with_the_name_of_a_field_hides_no_field() -> None:
    site = merger("n1")
    for name in ("model", "site", "temp_c", "temp_c_max", "user"):
        tell(site, name, ["n1"], ["x"])
    frame = site.frame(NOW)
    assert frame.facts
    assert not frame.domains


def test_what_is_no_fact_of_nodes_is_listed_and_changes_nothing() -> None:
    site = merger("n1")
    site.apply(
        FactsPart("driver", NamedKeys("rack", ("r1",)), ("x",), NOW), source="smi", stale_after_s=1, received_at=NOW
    )
    tell(site, "Driver Version", ["n1"], ["x"])
    tell(site, "driver", ["n1"], ["x", "y"])
    tell(site, "driver", ["elsewhere"], ["x"])
    frame = site.frame(NOW)
    assert texts(frame, "smi", "driver") == [None]
    assert any("elsewhere" in name for each in frame.unjoined for name in each.names)
