from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from console.model.jobs import Job, Jobs, JobState
from console.model.place import Place, Size
from console.model.scheduling import Reservation
from console.model.views import HeatMap, Split, Table, Text
from console.present.plain import render
from tests.support import panels

NOW = panels.NOW
WIDE = Size(200, 46)
EVIL = "\x1b[31m[bold]\u202egpu\r\n" + "x" * 300


def frame(name="muc1", gpus=24, **more):
    """Job 1 runs on the first GPUs, job 2 waits as an array, job 3 has failed."""
    site = panels.site_frame(name, **more)
    rows = (
        Job("1", "llm", "ada", JobState.RUNNING, gpus, 3, cluster=name, submit_at=NOW - 7300, start_at=NOW - 7200,
            time_limit_s=float("inf")),
        Job("2_[1-4]", "sweep", "bob", JobState.PENDING, 8, 1, cluster=name, reason="Priority", submit_at=NOW - 60,
            tasks=4, array="2"),
        Job("3", "bad", "eve", JobState.NODE_FAIL, 8, 1, cluster=name, submit_at=NOW - 900, start_at=NOW - 800,
            end_at=NOW - 700, words="NODE_FAIL+REQUEUED"),
    )  # fmt: skip
    gpu_job = np.where(np.arange(site.topology.gpus) < gpus, 0, -1).astype(np.int32)
    return dataclasses.replace(site, jobs=Jobs(rows, gpu_job, NOW, "slurm"))


def view(*sites, place=None, size=WIDE):
    return panels.load_panel("jobs").view(panels.snapshot(sites), place or Place(), size)


def table_of(made):
    return next(each for each in panels.flat(made) if isinstance(each, Table))


def test_the_columns_say_what_an_operator_asks():
    table = table_of(view(frame()))
    assert panels.cells(table, "state") == ["RUNNING", "PENDING", "NODE_FAIL+REQUEUED"]
    assert panels.cells(table, "gpus") == [24, 8, 8]
    assert panels.cells(table, "limit_s")[0] == "none"
    assert panels.cells(table, "time_s")[0] == 7200
    assert panels.cells(table, "wait_s")[:2] == [100, 60]
    assert panels.cells(table, "gpu_hours")[0] == 48
    assert panels.cells(table, "tasks") == [1, 4, 1]
    assert panels.cells(table, "reason") == ["", "Priority", ""]
    assert list(table.ids) == ["job:muc1/1", "job:muc1/2_[1-4]", "job:muc1/3"]
    text = "\n".join(render(view(frame()), 200))
    assert "RUNNING" in text
    assert "JOBS  3" in text


def test_the_selected_job_shows_its_gpus_as_cells_in_groups_of_nodes():
    made = view(frame(hot=9), place=Place(selected="job:muc1/1"))
    cells = next(each for each in panels.flat(made) if isinstance(each, HeatMap))
    assert len(cells.values) == 24
    assert [group.label for group in cells.groups] == ["n0001", "n0002", "n0003"]
    assert cells.ids[9] == "muc1/h1/r001/n0002/g1"
    assert cells.values[9] == 95
    assert cells.levels[9] > cells.levels[0]
    assert cells.groups[1].id == "muc1/h1/r001/n0002"


def test_a_job_of_many_gpus_has_one_cell_a_node(monkeypatch):
    panels.load_panel("jobs")
    monkeypatch.setattr(sys.modules["gigadeck_plugins.jobs.nodes"], "GPU_CELLS", 16)
    cells = next(each for each in panels.flat(view(frame(hot=9))) if isinstance(each, HeatMap))
    assert cells.values.tolist() == [60, 95, 60]
    assert list(cells.ids) == ["muc1/h1/r001/n0001", "muc1/h1/r001/n0002", "muc1/h1/r001/n0003"]


def test_a_job_that_waits_has_a_record_and_no_map():
    made = view(frame(), place=Place(selected="job:muc1/2_[1-4]"))
    assert not [each for each in panels.flat(made) if isinstance(each, HeatMap)]
    told = "\n".join(render(made, 200))
    assert "Priority" in told
    assert "4 of 8 GPUs each" in told


@pytest.mark.parametrize("names", [("muc1", "bcn1"), ("muc1",)])
def test_the_site_has_a_column_where_there_are_several(names):
    table = table_of(view(*map(frame, names)))
    assert any(column.key == "site" for column in table.columns) == (len(names) > 1)


def test_a_place_shows_its_own_jobs():
    assert list(table_of(view(frame(), place=Place("muc1/h1/r001/n0002"))).ids) == ["job:muc1/1"]
    empty = table_of(view(frame(), place=Place("muc1/h2")))
    assert (list(empty.ids), empty.empty) == ([], "no job here")


def test_the_filter_is_one_over_jobs_or_over_gpus():
    assert list(table_of(view(frame(), place=Place(where='user == "bob"'))).ids) == ["job:muc1/2_[1-4]"]
    assert list(table_of(view(frame(hot=9), place=Place(where="temp_c > 90"))).ids) == ["job:muc1/1"]
    assert list(table_of(view(frame(), place=Place(only_wrong=True))).ids) == ["job:muc1/3"]
    both = Place(where='user == "bob"', only_wrong=True)
    assert "Esc" in table_of(view(frame(), place=both)).empty


def test_a_filter_that_cannot_be_read_is_shown_with_the_column_of_its_fault():
    made = view(frame(), place=Place(where="user == and", only_wrong=True))
    assert isinstance(made, Text)
    told = render(made, 100)
    caret = next(line for line in told if line.strip().startswith("^"))
    text = told[told.index(caret) - 1]
    assert text[caret.index("^") :].startswith("and")


def test_sorting_goes_by_a_column_of_jobs_and_ignores_one_of_places():
    assert table_of(view(frame(), place=Place(sort="user"))).ids[0] == "job:muc1/1"
    assert table_of(view(frame(), place=Place(sort="-job_id"))).ids[0] == "job:muc1/3"
    assert table_of(view(frame(), place=Place(sort="-temp_c"))).ids[0] == "job:muc1/1"


def test_where_no_scheduler_speaks_it_says_what_to_add():
    site = dataclasses.replace(frame(), jobs=Jobs())
    assert "slurm" in table_of(view(site)).empty


def test_a_queue_that_is_old_says_so():
    site = frame()
    old = dataclasses.replace(site, jobs=dataclasses.replace(site.jobs, at=NOW - 600))
    assert "muc1 told 10m ago" in table_of(view(old)).title
    assert "ago" not in table_of(view(site)).title


def test_a_small_screen_has_the_list_alone():
    assert isinstance(view(frame(), size=Size(80, 10)), Table)
    assert isinstance(view(frame(), size=Size(80, 24)), Split)


def test_texts_of_jobs_reach_the_screen_made_safe():
    site = frame()
    rows = tuple(
        dataclasses.replace(job, name=EVIL, user=EVIL, reason=EVIL, account=EVIL, words=EVIL) for job in site.jobs.rows
    )
    made = view(dataclasses.replace(site, jobs=dataclasses.replace(site.jobs, rows=rows)))
    assert all(panels.is_safe(text) for text in panels.words(made))
    assert all(panels.is_safe(line) for line in render(made, 200))


def slow_site():
    """Job 1 runs on four nodes, the third of which is at half its power."""
    site = frame(gpus=32)
    power = site.columns["power_w"].values.copy()
    power[16:24] *= 0.5
    column = dataclasses.replace(site.columns["power_w"], values=power)
    return dataclasses.replace(site, columns={**site.columns, "power_w": column})


def test_a_straggler_stands_out_in_the_list_and_in_the_record():
    made = view(slow_site())
    table = table_of(made)
    assert panels.cells(table, "slowest_node")[0] == "n0003"
    assert panels.cells(table, "slowdown_pct")[0] == pytest.approx(50)
    tokens = next(column.tokens for column in table.columns if column.key == "slowest_node")
    assert tokens[0] == "state.warning"
    text = "\n".join(render(made, 200))
    assert "straggler n0003 -50 % power" in text
    wrong = table_of(view(slow_site(), place=Place(only_wrong=True)))
    assert list(wrong.ids) == ["job:muc1/1", "job:muc1/3"]


def test_grouped_by_a_domain_it_shows_what_is_free_and_the_reservations():
    kept = (Reservation("maint", ("n0009",), NOW - 60, NOW + 3600, ("MAINT",), ("ada",)),)
    site = dataclasses.replace(frame(), reservations={"slurm": kept})
    made = view(site, place=Place(by="cdu"))
    table = table_of(made)
    assert panels.cells(table, "free_gpus") == [32, 32, 32, 32, 24, 8]
    assert panels.cells(table, "reserved_nodes") == [0, 0, 0, 0, 1, 0]
    assert table.ids[-1] == "muc1/cdu:c0"
    text = "\n".join(render(made, 200))
    assert "FREE by cdu  4 whole of 6 with room" in text
    assert "maint muc1  1 nodes  now, ends in" in text
    assert "for ada  MAINT" in text


def test_the_title_tells_how_much_is_free():
    assert "free 168 GPUs, 21 whole blocks" in table_of(view(frame())).title
    unknown = dataclasses.replace(frame(), jobs=Jobs())
    assert "free: not known" in table_of(view(unknown)).title
