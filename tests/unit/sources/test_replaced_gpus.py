from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from console.config.values import SourceConfig
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.sources.exposition.series import Rows, SeriesBook
from console.sources.prometheus.source import PrometheusSource
from tests.support.fake_store import POWER, TEMP, FakeStore, gpu_row

if TYPE_CHECKING:
    import numpy as np


def rows(*gpus: tuple[str, str, str]) -> Rows:
    found = Rows()
    for uuid, node, gpu in gpus:
        found.extend(Rows([uuid], [node], [gpu], [""], [""], [1.0], [0.0]))
    return found


def placed(book: SeriesBook, *gpus: tuple[str, str, str]) -> np.ndarray:
    steps = book.place(rows(*gpus))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value.places


def kept(book: SeriesBook, present: np.ndarray) -> list[int] | None:
    found = book.current(present)
    return None if found is None else found.tolist()


A, B, C, OTHER = ("GPU-a", "n1", "0"), ("GPU-b", "n1", "0"), ("GPU-c", "n1", "0"), ("GPU-o", "n1", "1")


def test_a_gpu_is_replaced_when_another_one_is_in_its_slot_and_it_is_gone() -> None:
    book = SeriesBook()
    assert kept(book, placed(book, A, OTHER)) is None
    assert kept(book, placed(book, OTHER)) is None  # gone, and nobody in its slot
    assert kept(book, placed(book, A, B, OTHER)) is None  # both are there: who is right?
    assert kept(book, placed(book, B, OTHER)) == [1, 2]
    assert kept(book, placed(book, OTHER)) == [1, 2]  # a metric that neither has changes nothing
    assert kept(book, placed(book, C, OTHER)) == [1, 3]
    assert kept(book, placed(book, A, OTHER)) == [0, 1]  # put back


def test_gpus_without_node_or_index_replace_nobody() -> None:
    book = SeriesBook()
    placed(book, ("GPU-a", "", ""), ("GPU-b", "n1", ""))
    assert kept(book, placed(book, ("GPU-c", "", ""), ("GPU-d", "n1", ""))) is None


@pytest.mark.parametrize("way", ["query", "federate", "export"])
async def test_a_replaced_gpu_takes_its_slot_in_a_store(way: str) -> None:
    before = [gpu_row(name, "n00", gpu, "60") for name in (POWER, TEMP) for gpu in range(4)]
    store = FakeStore(before, 1_800_000_000.0, **({way: True} if way != "query" else {}))  # type: ignore[arg-type]
    config = SourceConfig("prometheus", "p", "http://x.example")
    source = PrometheusSource("lab", config, BUILTIN, transport=store.transport(), wall=lambda: store.now)
    merger = SiteMerger(empty_topology("lab"), BUILTIN)
    new = "GPU-99999999-0000-4000-8000-000000000099"
    for _ in range(2):
        reading = await source.read()
        for part in reading.decode():
            merger.apply(part, source="p", stale_after_s=30.0, received_at=reading.received_at)
        frame = merger.frame(store.now)
        assert frame.reporting.tolist() == [True] * 4
        assert frame.unjoined == ()
        store.rows = copy.deepcopy(before)
        for row in store.rows:
            row.labels["UUID"] = new if row.labels["gpu"] == "3" else row.labels["UUID"]
        store.now += 15
    assert frame.topology.uuid(3) == new
    await source.aclose()
