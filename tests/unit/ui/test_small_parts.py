from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from console.model.errors import ConsoleError
from console.model.levels import Severity
from console.model.place import Place
from console.model.views import Table, TableColumn
from console.ui import objects
from console.ui.clipboard import LIMIT_BYTES, copy_sequence
from console.ui.marks import counted, where_marked
from console.ui.meters import Meters
from console.ui.notices import KEPT, SHOWN_S, Notices
from console.ui.places import Stop
from console.ui.raw import record_of
from console.ui.saved_views import SavedViews
from console.ui.theme_bridge import color_depth, plain_theme, textual_theme, variables
from tests.support import panels

GPU = "muc1/h1/r002/n0006/g3"


def test_copying_is_osc_52():
    sequence = copy_sequence("muc1/h1", {"TERM": "xterm"})
    assert sequence == f"\x1b]52;c;{base64.b64encode(b'muc1/h1').decode()}\x07"


def test_tmux_gets_it_wrapped_with_doubled_escapes():
    sequence = copy_sequence("muc1", {"TMUX": "/tmp/x"})
    assert sequence.startswith("\x1b]52;c;")
    assert "\x1bPtmux;\x1b\x1b]52;c;" in sequence
    assert sequence.endswith("\x1b\\")


def test_what_is_too_long_is_not_copied():
    with pytest.raises(ValueError, match="too long"):
        copy_sequence("x" * (LIMIT_BYTES + 1), {})


def test_views_are_kept_in_a_file(tmp_path):
    place = Place("muc1/h1", metric="power_w", by="cdu", where="temp_c > 1", options={"cells": "rack"})
    stop = Stop("drilldown", place)
    SavedViews(tmp_path).save("night", stop)
    assert SavedViews(tmp_path).names() == ("night",)
    assert SavedViews(tmp_path).load("night") == stop
    SavedViews(tmp_path).delete("night")
    assert SavedViews(tmp_path).names() == ()


def test_views_do_not_keep_cursor_and_marks(tmp_path):
    SavedViews(tmp_path).save("a", Stop("fleet", Place(selected="muc1", marks=frozenset({"GPU-1"}))))
    assert SavedViews(tmp_path).load("a") == Stop("fleet")


@pytest.mark.parametrize("text", ["{", "[]", '{"views": [1]}', '{"views": {"a": 1}}', "\udcff"])
def test_a_broken_file_of_views_is_named(tmp_path, text):
    (tmp_path / "views.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ConsoleError, match=r"views\.json"):
        SavedViews(tmp_path).names()


def test_a_strange_entry_of_a_view_is_made_harmless(tmp_path):
    entry = {"panel": 7, "path": ["x"], "only_wrong": "yes", "options": "none"}
    (tmp_path / "views.json").write_text(json.dumps({"views": {"a": entry}}))
    found = SavedViews(tmp_path).load("a")
    assert found.panel == "7"
    assert found.place.metric == Place.metric
    assert found.place.options == {}


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 41])
def test_a_view_needs_a_name(tmp_path, name):
    with pytest.raises(ConsoleError, match="no name"):
        SavedViews(tmp_path).save(name, Stop("fleet"))


def test_a_view_that_is_not_there_lists_those_that_are(tmp_path):
    SavedViews(tmp_path).save("night", Stop("fleet"))
    for deed in (SavedViews(tmp_path).load, SavedViews(tmp_path).delete):
        with pytest.raises(ConsoleError, match="no view named noon"):
            deed("noon")


@pytest.mark.parametrize("address", ["muc1", "muc1/h1", "muc1/h1/r002", "muc1/h1/r002/n0006", GPU])
def test_a_key_leads_back_to_its_address(address):
    frame = panels.normal().frame
    key = objects.key_of(frame, address)
    assert key
    assert objects.address_of(frame, key) == address


def test_a_gpu_is_known_by_its_uuid():
    assert objects.key_of(panels.normal().frame, GPU).startswith("GPU-")


def test_a_key_of_something_gone_leads_nowhere():
    frame = panels.normal().frame
    assert objects.address_of(frame, "GPU-99999999-0000-0029-0000-000000000001") == ""
    assert objects.address_of(frame, "muc1:n9999") == ""
    assert objects.key_of(frame, "check:hot") == ""


def test_children_of_a_place():
    frame = panels.normal().frame
    assert objects.children(frame, "") == ["muc1", "bcn1"]
    assert objects.children(frame, "muc1") == ["muc1/h1", "muc1/h2"]
    assert len(objects.children(frame, "muc1/h1/r002/n0006")) == panels.GPUS
    assert objects.children(frame, GPU) == objects.children(frame, "nowhere") == []


def test_a_name_known_at_two_sites_is_found_twice():
    frame = panels.normal().frame
    assert objects.find(frame, "n0006") == ["muc1/h1/r002/n0006", "bcn1/h1/r002/n0006"]
    assert objects.find(frame, "muc1/h1") == ["muc1/h1"]
    assert objects.find(frame, "nothing") == []


def test_marks_that_the_table_does_not_show_are_counted():
    frame = panels.normal().frame
    keys = frozenset({objects.key_of(frame, "muc1/h1"), objects.key_of(frame, GPU), "GPU-gone"})
    addresses = where_marked(frame, keys)
    assert addresses == {"muc1/h1", GPU}
    table = Table((TableColumn("id", "", ["h1"]),), ids=["muc1/h1"])
    assert counted(keys, addresses, table).hidden == 2
    assert counted(frozenset(), frozenset(), table).total == 0


def words(text):
    return "\n".join("".join(span.text for span in line) for line in text.lines)


def test_a_record_tells_source_age_and_raw_text():
    snapshot = panels.normal()
    site = snapshot.frame.site("muc1")
    site.__dict__["raw"] = {"muc1/h1/r002/n0006": "NodeName=n0006 State=IDLE\n\x1b[31mevil"}
    told = words(record_of(snapshot, GPU))
    for part in ("GPU-", "prometheus", "temp_c", "95 C", "1 s old", "State=IDLE", "evil"):
        assert part in told
    assert "\x1b" not in told


def test_a_record_above_gpus_tells_the_roll_ups():
    told = words(record_of(panels.normal(), "muc1/h1/r002"))
    assert "temp_c_max" in told
    assert "95 C" in told
    assert "of 32" in told


@pytest.mark.parametrize(("row", "part"), [("check:hot", "jobs"), ("source:bcn1/prom", "refused")])
def test_a_record_of_a_check_or_source_tells_all_its_fields(row, part):
    assert part in words(record_of(panels.normal(), row))


def test_a_record_of_a_source_writes_its_moments_as_dates():
    since = datetime.fromtimestamp(panels.NOW - 100, UTC)
    assert f"since                 {since:%Y-%m-%d %H:%M:%S}Z" in words(record_of(panels.normal(), "source:bcn1/prom"))


def test_a_record_of_a_job_tells_what_its_scheduler_told():
    snapshot = panels.normal()
    site = next(site for site in snapshot.frame.sites if site.jobs.rows)
    job = replace(site.jobs.rows[0], submit_at=1_795_097_559.0, nodes=700)
    site.__dict__["jobs"] = replace(site.jobs, rows=(job, *site.jobs.rows[1:]), at=snapshot.at - 7)
    told = words(record_of(snapshot, f"job:{site.site}/{job.id}"))
    assert "7 s ago" in told
    assert job.name in told
    assert "2026-11-19 14:12:39Z" in told
    assert "nothing is known" not in told
    assert "nothing is known" in words(record_of(snapshot, f"job:{site.site}/none"))


def test_a_record_writes_moments_as_dates_and_big_numbers_out():
    snapshot = panels.normal()
    column = snapshot.frame.site("muc1").columns["temp_c"]
    column.__dict__["values"] = np.full_like(column.values, 195_902_832_640.0)
    told = words(record_of(snapshot, GPU))
    assert "195,902,832,640 C" in told
    assert f"merged at {datetime.fromtimestamp(snapshot.at, UTC):%Y-%m-%d %H:%M:%S}Z" in told


@pytest.mark.parametrize("row", ["check:none", "source:x", "muc9/h1", "cdu:c4"])
def test_a_record_of_nothing_says_so(row):
    assert "nothing is known" in words(record_of(panels.normal(), row))


def test_a_stale_value_is_told_as_stale():
    lines = record_of(panels.stale(), "hel1/h1/r001/n0001/g0").lines
    assert any("stale after" in "".join(span.text for span in line) for line in lines)


def test_a_notice_is_shown_for_a_while_and_kept():
    notices = Notices()
    notices.tell("saved\x1b[31m [b]x[/b]", 100.0)
    assert "".join(span.text for span in notices.shown(101.0)) == "saved [b]x[/b]"
    assert notices.shown(100.0 + SHOWN_S) == ()
    assert "saved" in words(notices.all())


def test_a_notice_is_not_left_beside_what_came_after_it():
    notices = Notices()
    notices.hush()
    notices.tell("no site named x", 100.0)
    notices.hush()
    assert notices.shown(101.0) == ()
    assert "no site named x" in words(notices.all())


def test_what_a_snapshot_notes_stays_for_its_time():
    notices = Notices()
    notices.hear(["plugin hot: disabled  [b]"], 100.0)
    notices.hush()
    assert "".join(span.text for span in notices.shown(101.0)) == "plugin hot: disabled [b]"


def test_notices_are_bounded_and_not_repeated():
    notices = Notices()
    for at in range(1000):
        notices.tell("same", float(at) / 1000)
    assert len(notices.all().lines) == 1
    for at in range(1000):
        notices.tell(f"text {at}", float(at))
    assert len(notices.all().lines) == KEPT


def test_what_a_snapshot_notes_is_told_once_while_it_stays():
    notices = Notices()
    notices.hear(("broken",), 0.0)
    notices.hear(("broken",), 100.0)
    assert len(notices.all().lines) == 1
    notices.hear((), 200.0)
    notices.hear(("broken",), 300.0)
    assert len(notices.all().lines) == 2
    assert notices.all().lines[0][1].token == "state.warning"
    notices.tell("bad", 400.0, Severity.CRITICAL)
    assert notices.shown(401.0)[0].token == "state.critical"


def test_meters_tell_bytes_and_the_worst_lag():
    meters = Meters(0.25)
    assert meters.link_bps == meters.lag_s == 0.0
    for at in (0.0, 0.25, 0.75, 1.0):
        meters.count("x" * 100)
        meters.beat(at)
    assert meters.link_bps == pytest.approx(300.0)
    assert meters.lag_s == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("environ", "colors"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "true"),
        ({"TERM": "screen-256color"}, "256"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "none"),
        ({"TERM": "vt100"}, "none"),
        ({}, "16"),
    ],
)
def test_the_terminal_tells_its_colours(environ, colors):
    assert color_depth(environ) == colors


@pytest.mark.parametrize("colors", ["true", "256", "16", "none"])
def test_every_own_variable_has_a_value(colors):
    theme = textual_theme(plain_theme(), colors)
    assert set(variables()) == set(variables(plain_theme())) <= set(theme.variables)
    assert theme.ansi == (colors in ("16", "none"))
