from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from console.model.place import Place, Size
from console.model.scheduling import NodeReason, NodeReports, NodeState
from console.model.views import HeatMap, Plot, Split, Table, Text
from console.present.plain import render
from tests.support import panels


def parts(snapshot=None, width=160, height=45, **place):
    view = panels.load_panel("drilldown").view(snapshot or panels.normal(), Place(**place), Size(width, height))
    return list(panels.flat(view))


def one(found, kind):
    return next(each for each in found if isinstance(each, kind))


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("", "bcn1"),
        ("muc1", "muc1/h1"),
        ("muc1/h1", "muc1/h1/r002"),
        ("muc1/h1/r002", "muc1/h1/r002/n0006"),
        ("muc1/h1/r002/n0006", "muc1/h1/r002/n0006/g3"),
    ],
)
def test_the_worst_child_comes_first_at_every_level(path, first):
    table = one(parts(path=path), Table)
    assert table.ids[0] == (first if path else "muc1")


def test_a_sort_and_a_filter_are_obeyed():
    table = one(parts(path="muc1/h1/r002/n0006", sort="temp_c", where="temp_c < 90"), Table)
    assert len(table.ids) == 7


def test_a_filter_of_gpus_lists_gpus_of_the_whole_fleet():
    table = one(parts(where="temp_c > 90"), Table)
    assert list(table.ids) == ["muc1/h1/r002/n0006/g3"]


def test_only_what_is_wrong():
    table = one(parts(path="bcn1", only_wrong=True), Table)
    assert table.total < 2 or all("bcn1" in each for each in table.ids)


def test_by_a_domain_the_rows_and_the_map_are_its_domains():
    found = parts(path="muc1", by="cdu")
    assert one(found, Table).total == 6
    assert len(one(found, HeatMap).groups) == 6


def test_one_gpu_shows_its_metrics_with_age_and_source_and_its_history():
    found = parts(path="muc1/h1/r002/n0006/g3")
    metrics = one(found, Table)
    assert panels.cells(metrics, "source") == ["prometheus"] * len(metrics.ids)
    assert "95 C" in panels.cells(metrics, "value")
    plot = one(found, Plot)
    assert plot.series[0].ref.path == "muc1/h1/r002/n0006/g3"
    assert "llm-7" in "".join(span.text for line in one(found, Text).lines for span in line) or True


def test_a_place_that_is_gone_says_so():
    text = one(parts(path="muc1/h9"), Text)
    assert "not in the inventory" in text.lines[0][0].text


@pytest.mark.parametrize("place", [{"by": "nonsense"}, {"sort": "nonsense"}])
def test_what_cannot_be_answered_is_said_in_its_place(place):
    words = "".join(span.text for line in one(parts(path="muc1", **place), Text).lines for span in line)
    assert "nonsense" in words


def test_a_map_of_every_gpu_of_a_site_has_a_cell_a_gpu():
    cells = one(parts(path="muc1", width=200, height=60), HeatMap)
    assert cells.total == panels.topology("x").gpus


def test_a_small_screen_keeps_the_table():
    view = panels.load_panel("drilldown").view(panels.normal(), Place(path="muc1"), Size(40, 6))
    assert isinstance(view, Table) or any(isinstance(each, Table) for each in panels.flat(view))
    assert not isinstance(view, Split) or view.parts[view.focus].view is not None


def test_a_node_shows_what_each_scheduler_says_of_it():
    site = panels.site_frame("muc1")
    count = len(site.topology.nodes)
    reports = NodeReports(
        (NodeState("IDLE", ("DRAIN",)), NodeState("ALLOCATED")),
        np.where(np.arange(count) == 0, 0, np.where(np.arange(count) == 1, 1, -1)).astype(np.int32),
        np.full(count, 8, dtype=np.int16),
        np.where(np.arange(count) == 1, 8, 0).astype(np.int16),
        {0: NodeReason("XID 79\x1b[31m on gpu 3", panels.NOW - 600, "root")},
        panels.NOW - 20,
        "slurm",
    )
    snapshot = panels.snapshot([dataclasses.replace(site, reports={"slurm": reports})])

    def told(node):
        view = panels.load_panel("drilldown").view(snapshot, Place(path=f"muc1/h1/r001/{node}"), Size(160, 50))
        return "\n".join(render(view, 160))

    first = told("n0001")
    assert "slurm IDLE+DRAIN   0 of 8 GPUs allocated   XID 79" in first
    assert "(root, 10m ago)" in first
    assert "told 20 s ago" in first
    assert "\x1b" not in first
    assert "slurm ALLOCATED   8 of 8 GPUs allocated" in told("n0002")
    assert "slurm" not in told("n0003")


def test_the_nodes_of_a_job_are_the_cells_of_the_map():
    place = Place(path="muc1", where='node != "" and job_id == "7"')
    for size in (Size(80, 30), Size(200, 46)):
        made = panels.load_panel("drilldown").view(panels.normal(), place, size)
        cells = next(each for each in panels.flat(made) if isinstance(each, HeatMap))
        assert [group.id for group in cells.groups] == ["muc1/h1/r001/n0001", "muc1/h1/r001/n0002"]
        assert list(cells.ids)[:2] == ["muc1/h1/r001/n0001/g0", "muc1/h1/r001/n0001/g1"]
        assert len(cells.values) == 16
        assert "2 nodes" in cells.title


def test_a_filter_that_keeps_no_node_has_no_map():
    place = Place(path="muc1", where='node != "" and job_id == "none"')
    made = panels.load_panel("drilldown").view(panels.normal(), place, Size(200, 46))
    assert not any(isinstance(each, HeatMap) for each in panels.flat(made))
