from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.inventory import build_topology
from console.core.remap import row_map
from console.model.levels import Level
from console.model.reading import TopologyPart
from tests.support.fleets import NOW, by_key, column, gpu_keys, merger, node, tell, uuid

GPUS = 3


def first_site(nodes):
    return [node(f"n{i}", f"h{i % 2}/r{i % 3}", GPUS, range(i * GPUS + 1, (i + 1) * GPUS + 1)) for i in range(nodes)]


@st.composite
def changes(draw):
    """A site before and after nodes moved, left and came, and GPUs changed places or were replaced."""
    before = first_site(draw(st.integers(1, 12)))
    after = []
    for spec in before:
        what = draw(st.sampled_from(["stays", "moves", "leaves", "replaced"]))
        if what == "moves":
            spec = replace(spec, rack=f"r{draw(st.integers(0, 9))}", hall=f"h{draw(st.integers(0, 3))}")
        if what == "replaced":
            spec = replace(spec, gpu_uuids=(uuid(5000 + len(after)), *spec.gpu_uuids[1:]))
        if what != "leaves":
            after.append(spec)
    after += [node(f"new{i}", "h9/r9", GPUS, range(9000 + i * GPUS, 9000 + (i + 1) * GPUS)) for i in range(2)]
    numbers = [each for spec in after for each in spec.gpu_uuids]
    if draw(st.booleans()):
        numbers = draw(st.permutations(numbers))
    after = [replace(spec, gpu_uuids=tuple(numbers[i * GPUS : (i + 1) * GPUS])) for i, spec in enumerate(after)]
    return build_topology("muc1", before, declared=True), build_topology("muc1", after, version=2, declared=True)


@settings(deadline=None, max_examples=80)
@given(changes())
def test_a_row_map_keeps_every_key_and_invents_none(sites):
    old, new = sites
    for level in (Level.GPU, Level.NODE, Level.RACK, Level.HALL):
        rows = row_map(old, new, level)
        before = {old.key(level, row): row for row in range(old.count(level))}
        wanted = [before.get(new.key(level, row), -1) for row in range(new.count(level))]
        assert rows.tolist() == wanted


@settings(deadline=None, max_examples=60)
@given(changes(), st.integers(0, 2**32))
def test_columns_follow_their_keys_through_any_change(sites, seed):
    old, new = sites
    values = np.random.default_rng(seed).uniform(20, 90, old.gpus)
    site = tell(merger(old), column("temp_c", gpu_keys(old), values))
    before = by_key(old, site.frame(NOW).columns["temp_c"].values)
    tell(site, TopologyPart(new), source="site")
    frame = site.frame(NOW)
    after = by_key(frame.topology, frame.columns["temp_c"].values)
    assert len(after) == new.gpus
    for key, value in after.items():
        assert value == before[key] if key in before else np.isnan(value)


@settings(deadline=None, max_examples=60)
@given(changes())
def test_telemetry_alone_teaches_swaps_and_moves_between_known_slots(sites):
    old, new = sites
    common = build_topology(
        "muc1",
        [node(name, "h1/r1", GPUS) for name in dict.fromkeys([*old.nodes, *new.nodes])],
        declared=True,
    )
    site = merger(common)
    tell(site, column("temp_c", gpu_keys(old), np.arange(old.gpus) + 20.0))
    tell(site, column("temp_c", gpu_keys(new), np.arange(new.gpus) + 20.0))
    learnt = site.topology
    known = {
        (learnt.nodes[learnt.parent(Level.GPU, row, Level.NODE)], int(learnt.gpu_slot[row])): learnt.uuid(row)
        for row in range(learnt.gpus)
    }
    for row in range(new.gpus):
        place = new.nodes[new.parent(Level.GPU, row, Level.NODE)], int(new.gpu_slot[row])
        assert known[place] == new.uuid(row)
    held = [each for each in known.values() if each]
    assert len(held) == len(set(held))
