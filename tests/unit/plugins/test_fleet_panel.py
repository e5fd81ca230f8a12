from __future__ import annotations

from dataclasses import replace

from console.core.incident_book import IncidentBook
from console.model.events import Alert, AlertState
from console.model.levels import Level, Severity
from console.model.place import Place, Size
from console.model.snapshot import SourceState
from console.model.views import Table
from console.present.plain import render
from tests.support import panels


def tables(snapshot, width=160, height=45, **place):
    view = panels.load_panel("fleet").view(snapshot, Place(**place), Size(width, height))
    return [each for each in panels.flat(view) if isinstance(each, Table)]


def test_incidents_come_critical_first_and_lead_to_their_place():
    incidents = tables(panels.normal())[0]
    assert incidents.ids[0] == "muc1/h1/r002/n0006/g3"
    assert list(incidents.severities) == ["critical", "warning"]


def test_a_check_that_names_a_crowd_is_told_without_the_size_of_the_fleet():
    check = panels.check("silent", Severity.WARNING, 3, level=Level.NODE, title="GPUs that do not report")
    incidents = tables(panels.snapshot((panels.site_frame("muc1"),), checks=(check,)))[0]
    assert panels.cells(incidents, "why") == ["3 nodes: GPUs that do not report"]


def test_gpus_at_risk_of_wider_rows_are_estimated_and_marked_so():
    check = panels.check("silent", Severity.WARNING, 3, level=Level.NODE)
    incidents = tables(panels.snapshot((panels.site_frame("muc1"),), checks=(check,)))[0]
    assert panels.cells(incidents, "gpus") == ["~24"]


def test_a_stale_site_shows_dashes_and_its_age_and_leaves_the_total():
    sites = tables(panels.stale())[1]
    row = list(sites.ids).index("hel1")
    assert panels.cells(sites, "live")[row].startswith("—/")
    assert panels.cells(sites, "trouble")[row] == "stale"
    assert "1 of 2 sites" in sites.title


def test_a_site_whose_sources_all_fail_is_not_waited_for():
    silent = (panels.site_frame("muc1", age_s=0.0, stale=True),)
    for state, word in ((SourceState.FAILING, "no data"), (SourceState.STARTING, "waiting")):
        snapshot = panels.snapshot(silent, sources=(panels.source("muc1", "prom", state),))
        assert panels.cells(tables(snapshot)[1], "trouble") == [word]


def test_severity_is_a_glyph_and_a_word_on_the_smallest_screen():
    for text in panels.cells(tables(panels.normal(), 80, 20)[0], "severity"):
        glyph, word = text.split()
        assert glyph in "✖▲?"
        assert word in ("crit", "warn", "unkn")


def test_what_is_wrong_comes_before_the_sites_and_keeps_the_focus():
    view = panels.load_panel("fleet").view(panels.normal(), Place(), Size(80, 20))
    assert [each.title.split()[0] for each in panels.flat(view)][:2] == ["INCIDENTS", "SITES"]
    assert view.focus == 0


def told(number=0, title="GpuXid", state=AlertState.FIRING, severity=Severity.CRITICAL, path="", **more):
    usual = {
        "since": panels.NOW - 60 - number,
        "gpus": 1,
        "origin": "pager",
        "heard_at": panels.NOW - 5,
        "text": "XID 79",
    }
    return Alert(
        f"{number}", state, severity, title, "muc1", path or f"muc1/h1/r001/n0001/g{number}", **{**usual, **more}
    )


def with_alerts(*alerts):
    return panels.snapshot((panels.site_frame("muc1"),), alerts=alerts)


def test_alerts_of_others_are_one_line_a_name_with_their_origin():
    crowd = [told(number) for number in range(8)]
    incidents = tables(with_alerts(*crowd, told(9, "Fan", severity=Severity.WARNING, path="muc1", gpus=0)))[0]
    assert panels.cells(incidents, "why") == ["8 alerts: GpuXid: XID 79 · pager", "Fan: XID 79 · pager"]
    assert panels.cells(incidents, "gpus") == ["8", "—"]
    assert incidents.ids == ["muc1/h1/r001/n0001", "muc1"]


def test_what_is_silenced_is_counted_and_what_only_informs_is_not_shown():
    quiet = [
        told(1, state=AlertState.SILENCED),
        told(2, state=AlertState.INHIBITED),
        told(3, state=AlertState.SILENCED),
    ]
    incidents = tables(with_alerts(*quiet, told(4, severity=Severity.INFO)))[0]
    assert incidents.title == "INCIDENTS  2 silenced, 1 inhibited"
    assert incidents.ids == []
    sites = tables(with_alerts(*quiet))[1]
    assert panels.cells(sites, "trouble") == ["ok"]


def test_an_alert_whose_teller_is_silent_says_since_when():
    incidents = tables(with_alerts(told(heard_at=panels.NOW - 720)))[0]
    assert panels.cells(incidents, "why") == ["GpuXid: XID 79 · pager (heard 12m ago)"]


def test_words_of_others_are_never_more_than_words():
    odd = told(title="[bold red]x[/]\x1b[31m\u202e", text="\x07\n" + "y" * 999, origin="p\x1b[2J")
    (why,) = panels.cells(tables(with_alerts(odd))[0], "why")
    assert "[bold red]x[/]" in why
    assert len(why) < 220
    assert not set(why) & set("\x1b\x07\n\u202e")


def with_taken(snapshot, author, severity=Severity.CRITICAL, *, key="check:hot"):
    """Return the snapshot with one incident acknowledged."""
    book = IncidentBook(snapshot.incidents)
    found = next(each for each in snapshot.incidents if each.sign.key == key)
    book.acknowledge(found.id, author, panels.NOW)
    return replace(snapshot, incidents=book.listed())


def test_what_somebody_took_on_says_who_and_is_drawn_quieter():
    incidents = tables(with_taken(panels.normal(), "s03"), 80, 22)[0]
    assert panels.cells(incidents, "ack") == ["s03", "-"]
    why = next(column for column in incidents.columns if column.key == "why")
    assert list(why.tokens) == ["text.dim", "text"]
    severity = next(column for column in incidents.columns if column.key == "severity")
    assert list(severity.tokens) == ["text.dim", "state.warning"]


def test_what_is_taken_on_comes_after_what_fires_of_the_same_severity():
    checks = [
        panels.check(name, Severity.CRITICAL, gpus, by_site=(("muc1", gpus, 0),)) for name, gpus in (("a", 9), ("b", 1))
    ]
    snapshot = panels.snapshot((panels.site_frame("muc1"),), checks=tuple(checks))
    assert panels.cells(tables(snapshot)[0], "why") == ["9 GPUs: a", "1 GPU: b"]
    assert panels.cells(tables(with_taken(snapshot, "s03", key="check:a"))[0], "why") == ["1 GPU: b", "9 GPUs: a"]


def everywhere(matches=3, **more):
    sites = tuple(panels.site_frame(name) for name in ("muc1", "bcn1", "osl1"))
    by_site = tuple((site.site, matches, 0) for site in sites)
    check = panels.check("hot", Severity.WARNING, 3 * matches, title="over 88 C", by_site=by_site)
    return panels.snapshot(sites, checks=(check,), **more)


def test_one_trouble_at_several_sites_is_one_line_until_somebody_takes_a_part_on():
    incidents = tables(everywhere())[0]
    assert panels.cells(incidents, "why") == ["9 GPUs: over 88 C"]
    assert panels.cells(incidents, "where") == ["all 3 sites"]
    assert panels.cells(incidents, "gpus") == ["9"]
    parted = tables(with_taken(everywhere(), "ada"))[0]
    assert panels.cells(parted, "why") == ["6 GPUs: over 88 C", "3 GPUs: over 88 C"]
    assert panels.cells(parted, "ack") == ["-", "ada"]


def test_every_row_says_where_it_is_and_in_the_reason_how_much():
    where = panels.cells(tables(everywhere())[0], "where") + panels.cells(tables(panels.normal())[0], "where")
    assert not any("GPU" in text for text in where)


def test_what_is_over_is_counted_and_no_row():
    snapshot = panels.normal()
    over = replace(snapshot.incidents[0], state=AlertState.RESOLVED, resolved_at=panels.NOW)
    incidents = tables(replace(snapshot, incidents=(*snapshot.incidents[1:], over)))[0]
    assert incidents.title == "INCIDENTS 1 by GPUs at risk  1 resolved lately"
    assert len(incidents.ids) == 1


def test_a_blind_site_is_an_incident():
    assert panels.cells(tables(panels.stale())[0], "why")[0].startswith("blind: no telemetry")


def test_before_anything_was_judged_nothing_is_called_well():
    empty = panels.snapshot((panels.site_frame("muc1"),))
    assert tables(empty)[0].empty == "nothing has been judged yet"
    assert "waiting" in tables(replace(empty, loading=True))[0].empty
    well = panels.snapshot((panels.site_frame("muc1"),), checks=(panels.check("hot", Severity.OK),))
    assert tables(well)[0].empty == "the one check is well"


def test_at_80_columns_every_line_says_what_where_and_who():
    snapshot = with_taken(panels.normal(), "an-author-of-some-length")
    view = panels.load_panel("fleet").view(snapshot, Place(), Size(80, 21))
    lines = render(view, 80)
    head = next(line for line in lines if "since" in line)
    assert [word for word in head.split() if word in ("ack", "since", "where", "why", "GPUs")] == [
        "ack", "since", "where", "why", "GPUs",
    ]  # fmt: skip
    line = next(line for line in lines if "n0006" in line)
    assert "crit" in line
    assert "an-auth" in line
    assert "hot" in line
