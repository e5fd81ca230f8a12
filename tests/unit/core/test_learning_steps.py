from __future__ import annotations

import numpy as np
import pytest

from console.core import learning
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.reading import ColumnPart, GpuKeys

NODES, GPUS = 40, 8
NOW = 1_000.0


def keys(first=0, nodes=NODES):
    count = nodes * GPUS
    numbers = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(first * 100_000)
    names = tuple(f"n{first + row // GPUS:04d}:9400" for row in range(count))
    return GpuKeys(names, (np.arange(count) % GPUS).astype(np.int16), numbers, numbers)


def part(of):
    return ColumnPart("temp_c", of, np.arange(len(of), dtype=np.float32) % 90, same_time(NOW, len(of)))


def merger():
    return SiteMerger(empty_topology("muc1"), BUILTIN)


def apply(into, told):
    into.apply(told, source="prom", stale_after_s=30.0, received_at=NOW)


def seen(of):
    frame = of.frame(NOW)
    return frame.topology.nodes, frame.topology.uuid_high.tolist(), frame.columns["temp_c"].values.tolist()


@pytest.fixture(autouse=True)
def short_steps(monkeypatch):
    monkeypatch.setattr(learning, "KEYS_A_STEP", 50)
    monkeypatch.setattr(learning, "NAMES_A_STEP", 10)


def test_what_is_learned_in_steps_is_what_is_learned_at_once(monkeypatch):
    at_once, in_steps = merger(), merger()
    apply(at_once, part(keys()))
    told = part(keys())
    assert sum(1 for _ in in_steps.prepare(told)) > NODES * GPUS // 50
    learn_again = lambda *_, **__: pytest.fail("it was learned already")  # noqa: E731 - one line says it
    monkeypatch.setattr("console.core.join.learn", learn_again)
    apply(in_steps, told)
    assert seen(in_steps) == seen(at_once)


def test_no_step_takes_all_keys_at_once(monkeypatch):
    looked_up = []
    rows = learning.NodeNames.rows
    monkeypatch.setattr(
        learning.NodeNames, "rows", lambda self, names: looked_up.append(len(names)) or rows(self, names)
    )
    for _ in merger().prepare(part(keys())):
        pass
    assert max(looked_up) == 50


def test_nothing_is_published_of_what_is_half_learned():
    half = merger()
    steps = half.prepare(part(keys()))
    next(steps)
    next(steps)
    assert half.frame(NOW).topology.nodes == ()


def test_a_site_that_changes_meanwhile_is_learned_anew():
    one, other = part(keys()), part(keys(first=500))
    both, mixed = merger(), merger()
    for told in (other, one):
        apply(both, told)
    steps = mixed.prepare(one)
    next(steps)
    apply(mixed, other)
    assert list(steps) == []
    apply(mixed, one)
    assert seen(mixed)[:2] == seen(both)[:2]
    assert len(seen(mixed)[0]) == 2 * NODES


def test_keys_that_are_known_take_no_step():
    known, told = merger(), part(keys())
    apply(known, told)
    assert list(known.prepare(told)) == []
