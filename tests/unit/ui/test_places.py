from __future__ import annotations

import pytest

from console.model.place import Place
from console.ui.places import KEPT_STOPS, Stop, Trail, deeper, up

PANELS = ("fleet", "drilldown", "checks")


def test_the_trail_walks_back_and_forward():
    trail = Trail(Stop("fleet"))
    trail.go(Stop("drilldown", Place("muc1")))
    trail.go(Stop("drilldown", Place("muc1/h1")))
    assert trail.back()
    assert trail.here.place.path == "muc1"
    assert trail.forward()
    assert trail.here.place.path == "muc1/h1"
    assert not trail.forward()


def test_a_new_stop_forgets_what_was_ahead():
    trail = Trail(Stop("fleet"))
    trail.go(Stop("checks"))
    trail.back()
    trail.go(Stop("drilldown"))
    assert not trail.forward()


def test_moving_the_cursor_makes_no_stop():
    trail = Trail(Stop("fleet"))
    trail.go(Stop("fleet", Place(selected="muc1")))
    assert not trail.has_before


def test_marks_and_clock_stay_with_the_user():
    trail = Trail(Stop("fleet"))
    trail.go(Stop("checks", Place(marks=frozenset({"GPU-1"}), utc=False)))
    trail.back()
    assert trail.here.place.marks == {"GPU-1"}
    assert not trail.here.place.utc


def test_the_trail_is_bounded():
    trail = Trail(Stop("fleet"))
    for number in range(KEPT_STOPS + 50):
        trail.go(Stop("drilldown", Place(f"s{number}")))
    steps = 0
    while trail.back():
        steps += 1
    assert steps == KEPT_STOPS


@pytest.mark.parametrize(
    ("row", "panel", "path", "where", "selected"),
    [
        ("muc1", "drilldown", "muc1", "", ""),
        ("muc1/h1/r1/n1:9400/g0", "drilldown", "muc1/h1/r1/n1:9400/g0", "", ""),
        ("check:hot", "checks", "", "x > 1", "check:hot"),
        ("incident:muc1-1a2b3c4d", "drilldown", "muc1", "", ""),
        ("incident:new-york-1a2b3c4d", "drilldown", "new-york", "", ""),
        ('cdu:c"4', "drilldown", "", 'cdu == "c\\"4"', ""),
        ("muc1/cdu:c4", "drilldown", "muc1", 'cdu == "c4"', ""),
        ("job:muc1/7_2", "drilldown", "muc1", 'node != "" and job_id == "7_2"', ""),
        ("job:muc1/7@train", "drilldown", "muc1", 'node != "" and job_id == "7"', ""),
        ("metric:temp_c", "fleet", "", "x > 1", ""),
    ],
)
def test_enter_leads_to_the_object(row, panel, path, where, selected):
    there = deeper(Stop("fleet", Place(by="cdu", where="x > 1")), row, PANELS)
    assert (there.panel, there.place.path, there.place.where, there.place.selected) == (panel, path, where, selected)


def test_escape_takes_away_the_last_thing_first():
    stop = Stop("drilldown", Place("muc1/h1", where="temp_c > 1", by="cdu"))
    seen = []
    for _ in range(6):
        stop = up(stop, "fleet")
        seen.append((stop.panel, stop.place.path, stop.place.where, stop.place.by))
    assert seen == [
        ("drilldown", "muc1/h1", "", "cdu"),
        ("drilldown", "muc1/h1", "", ""),
        ("drilldown", "muc1", "", ""),
        ("drilldown", "", "", ""),
        ("fleet", "", "", ""),
        ("fleet", "", "", ""),
    ]


def test_going_up_puts_the_cursor_on_what_was_left():
    assert up(Stop("drilldown", Place("muc1/h1")), "fleet").place.selected == "muc1/h1"
