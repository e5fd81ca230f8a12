from __future__ import annotations

import dataclasses

import pytest

from console.model.builtin_metrics import BUILTIN
from console.model.disagreements import Disagreement, Disagreements, Statement
from console.model.levels import Severity
from console.model.place import Place, Size
from console.model.snapshot import Frame, Snapshot
from console.model.views import Split, Table, Text
from console.present.plain import render
from tests.support import panels
from tests.support.voices import CORDONED, DRAINED, IDLE, READY, Voices, node_names

WIDE = Size(180, 40)
EVIL = "\x1b[31m[bold]\u202egpu\r\n" + "x" * 300


@pytest.fixture
def shown():
    """n02 is drained in Slurm alone, n03 cordoned in Kubernetes alone; n05 has another driver, n06 too and idles."""
    names = node_names(8)
    site = Voices(names)
    site.telemetry()
    site.scheduler("slurm", dict.fromkeys(names, IDLE) | {"n02": DRAINED})
    site.scheduler("kubernetes", dict.fromkeys(names, READY) | {"n03": CORDONED}, gpus={"n05": 3})
    site.fact("driver", dict.fromkeys(names, "580.65.06") | {"n05": "570.86.15"})
    found = site.judged()
    return Snapshot(1, Frame(site.now, "f", BUILTIN, (site.frame(),)), disagreements=found)


def view(snapshot, size=WIDE, **place):
    return panels.load_panel("disagreements").view(snapshot, Place(**place), size)


def tables(made):
    return [each for each in panels.flat(made) if isinstance(each, Table)]


def nodes(snapshot, **place):
    return [id.rpartition("/")[2] for id in tables(view(snapshot, **place))[0].ids]


def test_the_smallest_screen_shows_which_node_it_is(shown):
    path = "muc1/h1/r252/n04534"
    row = dataclasses.replace(shown.disagreements.rows[0], path=path, kind="minority-nic-firmware")
    found = dataclasses.replace(shown.disagreements, rows=(row,))
    lines = render(view(dataclasses.replace(shown, disagreements=found), Size(80, 20)), 80)
    assert any("muc1 h1/r252/n04534" in line for line in lines)


def test_one_row_a_node_with_its_kind_and_who_says_what(shown):
    table = tables(view(shown))[0]
    assert table.ids == ["muc1/h1/r1/n02", "muc1/h1/r1/n03", "muc1/h1/r1/n05"]
    lines = "\n".join(render(view(shown), 180))
    assert "gpu-count +1" in lines
    assert "slurm: IDLE+DRAIN; kubernetes: Ready" in lines
    assert "drained-elsewhere 2  gpu-count 1  minority-driver 1" in table.title
    assert table.enter


def test_below_is_what_every_voice_says_of_the_one_under_the_cursor(shown):
    below = tables(view(shown, selected="muc1/h1/r1/n05"))[1]
    voices = list(below.columns[0].values)
    assert voices == ["gpu-count", "minority-driver", "kubernetes", "slurm", "telemetry", "inventory", "smi"]
    assert isinstance(view(shown, size=Size(80, 8)), Table), "no room for it"
    assert isinstance(view(shown), Split)


def test_a_stale_voice_is_marked(shown):
    voices = (Statement("slurm", "IDLE", shown.at - 400, stale=True), Statement("telemetry", "4 of 4", shown.at - 1))
    row = Disagreement("down-healthy", "muc1", "muc1/h1/r1/n01", Severity.WARNING, "x", shown.at, voices)
    found = dataclasses.replace(shown.disagreements, rows=(row,))
    text = "\n".join(render(view(dataclasses.replace(shown, disagreements=found)), 180))
    assert "STALE" in text


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"path": "muc1/h1/r1/n03"}, ["n03"]),
        ({"path": "muc1/h1/r1/n03/g1"}, ["n03"]),
        ({"path": "muc1/h9"}, []),
        ({"where": 'driver == "570.86.15"'}, ["n05"]),
        ({"where": "util_pct > 95"}, []),
        ({"sort": "-where"}, ["n05", "n03", "n02"]),
    ],
)
def test_what_a_place_shows(shown, place, expected):
    assert nodes(shown, **place) == expected


def test_a_filter_that_says_nothing_of_nodes_is_explained(shown):
    made = view(shown, where="nonsense > 1")
    assert isinstance(made, Text)
    assert "nonsense" in "\n".join(render(made, 120))


def test_only_wrong_hides_what_is_only_worth_knowing(shown):
    row = Disagreement("allocated-idle-lately", "muc1", "muc1/h1/r1/n01", Severity.INFO, "x", shown.at - 70)
    found = dataclasses.replace(shown.disagreements, rows=(*shown.disagreements.rows, row))
    snapshot = dataclasses.replace(shown, disagreements=found)
    assert len(tables(view(snapshot))[0].ids) == 4
    assert nodes(snapshot, only_wrong=True) == ["n02", "n03", "n05"]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Disagreements(), "not been compared yet"),
        (Disagreements(nodes=8, at=1.0), "all 8 nodes say the same"),
        (Disagreements(nodes=8, unjudged=8, at=1.0), "nothing can be judged"),
    ],
)
def test_an_empty_list_says_why(shown, found, says):
    text = "\n".join(render(view(dataclasses.replace(shown, disagreements=found)), 120))
    assert says in text


def test_what_voices_say_is_never_markup(shown):
    row = Disagreement(EVIL, "muc1", EVIL, Severity.WARNING, EVIL, shown.at, (Statement(EVIL, EVIL, shown.at),))
    made = view(dataclasses.replace(shown, disagreements=Disagreements((row,), {EVIL: 1}, 8, 0, shown.at)))
    assert all(panels.is_safe(text) for text in panels.words(made))
    assert all(panels.is_safe(line) for line in render(made, 120))


def test_a_node_s_detail_tells_its_voices_and_disputes(shown):
    made = panels.load_panel("drilldown").view(shown, Place(path="muc1/h1/r1/n05"), WIDE)
    text = "\n".join(render(made, 180))
    assert "kubernetes Ready   0 of 3 GPUs allocated" in text
    assert "telemetry 4 of 4 GPUs report, 90 % busy" in text
    assert "inventory 4 GPUs H100 in r1" in text
    assert "minority-driver: driver 570.86.15; most of its like have 580.65.06" in text
