from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from console.engine.own_memory import own_memory
from console.engine.saved_columns import SavedColumn, keys_of, pack, restored, unpack
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.levels import Level
from console.model.ports import StateColumn
from console.state.values import Baseline
from tests.support import panels
from tests.support.fleets import small_site
from tests.support.sources import SteadySource

NOW = 1_800_000_000.0


def column(topology, values, level=Level.GPU, name="seen", detector="looker"):
    return SavedColumn(topology.site, detector, name, NOW, np.asarray(values), keys_of(topology, level))


def round_trip(*columns):
    return unpack(tuple(pack(columns)))


@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint32", "float64", "bool"])
def test_a_column_comes_back_as_it_was(dtype):
    site = small_site()
    (back,) = round_trip(column(site, np.arange(site.gpus).astype(dtype)))
    fresh = np.zeros(site.gpus, dtype=dtype)
    assert restored(back, keys_of(site, Level.GPU), fresh)
    assert (fresh == np.arange(site.gpus).astype(dtype)).all()


def test_the_keys_of_a_site_are_kept_once_for_all_its_columns():
    site = small_site()
    made = list(pack([column(site, np.zeros(site.gpus), name=name) for name in ("a", "b", "c")]))
    assert sum(not each.detector for each in made) == 1
    assert len(made) == 4


def test_rows_follow_their_uuid_and_a_stranger_in_a_slot_gets_nothing():
    site = small_site(halls=1, racks=1, nodes=2, gpus=2)
    (back,) = round_trip(column(site, np.array([1, 2, 3, 4], dtype=np.float32)))
    low, high = site.uuid_low.copy(), site.uuid_high.copy()
    low[[0, 3]], high[[0, 3]] = low[[3, 0]], high[[3, 0]]
    low[1] += 77
    moved = replace(site, uuid_low=low, uuid_high=high, version=site.version + 1)
    fresh = np.full(4, -1, dtype=np.float32)
    assert restored(back, keys_of(moved, Level.GPU), fresh)
    assert fresh.tolist() == [4, -1, 3, 1]


def test_nodes_follow_their_name():
    site, more = small_site(nodes=3), small_site(nodes=4)
    (back,) = round_trip(column(site, np.arange(len(site.nodes), dtype=np.float32), Level.NODE))
    fresh = np.full(len(more.nodes), -1, dtype=np.float32)
    assert restored(back, keys_of(more, Level.NODE), fresh)
    for row, name in enumerate(more.nodes):
        assert fresh[row] == (site.nodes.index(name) if name in site.nodes else -1)


def test_another_type_of_column_is_not_restored():
    site = small_site()
    (back,) = round_trip(column(site, np.ones(site.gpus, dtype=np.float32)))
    fresh = np.zeros(site.gpus, dtype=np.uint8)
    assert not restored(back, keys_of(site, Level.GPU), fresh)
    assert not fresh.any()


@pytest.mark.parametrize("cut", [0, 3, 7, 20, 60, -1])
def test_damaged_bytes_are_left_out(cut):
    site = small_site()
    good = list(pack([column(site, np.ones(site.gpus, dtype=np.float32))]))
    bad = [replace(each, data=each.data[:cut]) for each in good]
    assert unpack(bad) == ()
    assert unpack([Baseline("muc1", "looker", "seen", NOW, b"GDC1\xff\xff\xff\xff{}")]) == ()


class Counter:
    """Counts the frames of each GPU in its column."""

    state_columns = (StateColumn("frames", "uint32"),)

    def __init__(self):
        self.first = None

    def update(self, frame, state):
        for site in frame.sites:
            if site.data_at:
                if self.first is None:
                    self.first = int(state[site.site]["frames"].min())
                state[site.site]["frames"][:] += 1
        return ()


def test_what_a_detector_remembers_outlasts_the_program(tmp_path):
    def run(detector):
        source = SteadySource(panels.topology("site0"), time.time)
        site = SiteSetup("site0", sources=(SourceSetup("main", "test", "", source, cadence_s=0.02),))
        memory = own_memory("test", f"sqlite:///{tmp_path}/m.db", base=tmp_path, author="sre")
        config = SessionConfig("test", sites=(site,), detectors={"counter": detector}, snapshot_hz=50.0, memory=memory)
        session = Session(config)
        session.start()
        start = session.wait(lambda shot: bool(shot.memories), 20.0).seq
        session.wait(lambda shot: shot.seq > start + 5, 20.0)
        session.close(20.0)
        return detector

    assert run(Counter()).first == 0
    again = Counter()
    again.first = -1  # its first frames may come before the memory is read
    seen = []
    again.update = lambda frame, state, before=again.update: (
        seen.append([int(state[each.site]["frames"].max()) for each in frame.sites]) or before(frame, state)
    )
    run(again)
    jumps = [later[0] - earlier[0] for earlier, later in pairwise(seen) if earlier and later]
    assert max(jumps, default=0) > 1 or seen[0][0] > 1, "it went on from what was kept"
