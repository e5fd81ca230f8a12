from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.cli.diagnosis import _site
from console.config.inventory import read_inventory
from console.config.values import AliasRule, InventoryConfig, SiteConfig
from console.core.inventory import build_topology
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.reading import NamedKeys, NodeReportsPart
from console.model.scheduling import NodeState
from tests.support.fleets import NOW, column, keys_of, uuid
from tests.support.sources import ScriptedSource, reading_of

if TYPE_CHECKING:
    from pathlib import Path

    from console.model.snapshot import SiteFrame


def reports(*names: str) -> NodeReportsPart:
    counts = np.full(len(names), 2, dtype=np.int16)
    codes = np.zeros(len(names), dtype=np.int32)
    return NodeReportsPart(NamedKeys("node", names), (NodeState("IDLE"),), codes, counts, counts, at=NOW)


def test_five_voices_with_names_of_their_own_are_one_site_and_strangers_are_listed(tmp_path: Path) -> None:
    rows = ["node,hall,rack,gpus,bmc,gpu_uuids", f"n1.muc1.example,h1,r1,2,10.0.0.1,{uuid(1)};{uuid(2)}"]
    (tmp_path / "nodes.csv").write_text("\n".join([*rows, f"n2.muc1.example,h1,r1,2,10.0.0.2,{uuid(3)};{uuid(4)}"]))
    rules = (AliasRule(r"n(\d+)\.muc1\.example", r"ip-10-1-0-\1"),)
    config = SiteConfig("muc1", inventory=InventoryConfig(file="nodes.csv"), aliases=rules)
    topology = build_topology("muc1", read_inventory(config, tmp_path), declared=True)
    voices = {
        "pods": reading_of([column("temp_c", keys_of([("exporter-x7k", 0, 1), ("exporter-q9", 0, 9)]), [50, 99])]),
        "slurm": reading_of([reports("n1", "N2", "n7")]),
        "kube": reading_of([reports("ip-10-1-0-1.eu.internal", "n2.cluster.local")]),
        "bmc": reading_of(
            [column("inlet_c", NamedKeys("node", ("10.0.0.1:443", "10.0.0.2", "10.0.0.3")), [24, 25, 26])]
        ),
    }
    sources = tuple(
        SourceSetup(name, "test", "", ScriptedSource(said), cadence_s=0.05, stale_after_s=1e9)
        for name, said in voices.items()
    )
    session = Session(
        SessionConfig("f", sites=(SiteSetup("muc1", topology=topology, sources=sources),), snapshot_hz=50.0)
    )

    def all_told(site: SiteFrame) -> bool:
        return {"temp_c", "inlet_c"} <= site.columns.keys() and len(site.reports) == 2 and len(site.unjoined) == 3

    session.start()
    try:
        snapshot = session.wait(lambda each: bool(each.frame.sites) and all_told(each.frame.sites[0]), 10.0)
    finally:
        session.close(2.0)
    (site,) = snapshot.frame.sites
    assert site.columns["temp_c"].values[0] == 50
    assert site.columns["inlet_c"].values.tolist() == [24, 25]
    assert {name: each.codes.tolist() for name, each in site.reports.items()} == {"slurm": [0, 0], "kube": [0, 0]}
    assert {each.source: each.names for each in site.unjoined} == {
        "pods": (f"exporter-q9/g0 {uuid(9)}",),
        "slurm": ("node n7",),
        "bmc": ("node 10.0.0.3",),
    }
    finding = _site(site, snapshot)
    assert "3 names lead to no node" in finding.what
    assert all(name in finding.advice for name in ("node n7 (slurm)", "node 10.0.0.3 (bmc)", "(pods)"))
