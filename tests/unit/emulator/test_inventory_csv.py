from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.config.inventory import read_inventory
from console.config.values import InventoryConfig, SiteConfig
from console.core.inventory import build_topology
from console.emulator.fleet import FleetPlan
from console.emulator.wire.inventory_csv import inventory_page
from console.emulator.world import World
from console.model.levels import Level
from tests.support.toy_world import toy_topology

if TYPE_CHECKING:
    from pathlib import Path

    from console.model.topology import SiteTopology


def emulated(site: int) -> SiteTopology:
    world = World(FleetPlan(gpus=1440, sites=2, seed=5), 0.0)
    return world.topology(world.site_names[site])


@pytest.mark.parametrize("topology", [toy_topology(), emulated(0), emulated(1)], ids=["toy", "h100", "gb200"])
def test_the_inventory_declares_the_site_as_it_is(topology: SiteTopology, tmp_path: Path) -> None:
    (tmp_path / "site.csv").write_text("".join(inventory_page(topology)))
    config = SiteConfig(topology.site, inventory=InventoryConfig(file=str(tmp_path / "site.csv")))
    declared = build_topology(topology.site, read_inventory(config, tmp_path), declared=True)
    for name in ("halls", "racks", "nodes", "serials", "bmcs"):
        assert getattr(declared, name) == getattr(topology, name)
    for name in ("hall_racks", "rack_nodes", "node_gpus", "gpu_slot", "uuid_high", "uuid_low"):
        np.testing.assert_array_equal(getattr(declared, name), getattr(topology, name))
    assert {name: declared.node_row(name) for name in topology.aliases} == dict(topology.aliases)
    for kind, domain in topology.domains.items():
        if domain.unit is Level.NODE:
            assert members(declared.domains[kind]) == members(domain)


def members(domain) -> dict[str, list[int]]:
    return {
        name: sorted(domain.members[domain.starts[i] : domain.starts[i + 1]].tolist())
        for i, name in enumerate(domain.names)
    }
