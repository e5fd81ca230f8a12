from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.place import Place, Size
from console.model.snapshot import SourceState
from console.model.views import Span
from console.ui.bars import Segment, cut, ends, fit, line_width, segment
from console.ui.breadcrumb import Crumbs, Marked, breadcrumb_line
from console.ui.footer import Facts, footer_line, possible
from console.ui.header import HeaderContext, header_lines
from console.ui.keys import key_map
from console.ui.setup import PanelInfo
from tests.support import panels
from tests.support.fake_session import listing, states

CONTEXT = HeaderContext(panels.NOW + 1, "europe", "production", read_only=True, user="sre07")
PANELS = tuple(PanelInfo(name, name.title(), str(n + 1)) for n, name in enumerate(("fleet", "drilldown", "checks")))
KEYS = key_map()[0]


def plain(lines):
    return "\n".join("".join(span.text for span in line) for line in lines)


def test_the_header_says_what_counts_at_80_cells():
    text = plain(header_lines(panels.stale(), CONTEXT, 80))
    for told in ("PRODUCTION", "europe", "read-only", "sre07", "08:00:01Z", "✖0 ▲0", "STALE hel1 41 s", "live 192/384"):
        assert told in text
    assert "(1 of 2 sites)" in text
    assert "IT 100 MW" in text


def test_production_is_a_mark_of_its_own():
    tokens = {span.token for line in header_lines(panels.normal(), CONTEXT, 80) for span in line}
    assert "environment.production" in tokens
    lab = header_lines(panels.normal(), replace(CONTEXT, environment="lab"), 80)
    assert "environment.production" not in {span.token for line in lab for span in line}


def test_what_matters_most_leaves_last():
    gone = []
    for width in range(100, 10, -1):
        text = plain(header_lines(panels.stale(), CONTEXT, width)).split("\n")[0]
        gone += [word for word in ("sre07", "europe", "STALE", "read-only", "PRODUCTION") if word not in text]
    order = list(dict.fromkeys(gone))
    assert order.index("sre07") < order.index("STALE")
    assert "PRODUCTION" not in order or order[-1] == "PRODUCTION"


def test_a_header_before_any_data_says_so():
    assert "waiting" in plain(header_lines(None, CONTEXT, 80))


def test_a_site_whose_sources_all_fail_has_no_data_and_is_not_waited_for():
    silent = panels.site_frame("muc1", age_s=0.0, stale=True)
    failing = panels.snapshot((silent,), sources=(panels.source("muc1", "prom", SourceState.FAILING),))
    text = plain(header_lines(failing, CONTEXT, 120, 40))
    assert "NO DATA muc1" in text
    assert "muc1 NO DATA" in text
    assert "waiting" not in text
    starting = panels.snapshot((silent,), sources=(panels.source("muc1", "prom", SourceState.STARTING),))
    assert "waiting for muc1" in plain(header_lines(starting, CONTEXT, 120, 40))
    assert "waiting for muc1" in plain(header_lines(panels.snapshot((silent,)), CONTEXT, 120, 40))


def test_what_turned_bad_lately_is_new():
    recent = panels.snapshot(
        (panels.site_frame("muc1"),), checks=(replace(panels.normal().checks[2], since=panels.NOW - 30),)
    )
    assert "new 1" in plain(header_lines(recent, CONTEXT, 80))
    assert "new" not in plain(header_lines(panels.normal(), CONTEXT, 80)).split("\n")[0]


def test_a_header_without_new_snapshots_says_so():
    late = replace(CONTEXT, now=panels.NOW + 60)
    assert "NOTHING NEW FOR 1m" in plain(header_lines(panels.normal(), late, 120))
    assert "NOTHING NEW" not in plain(header_lines(panels.normal(), replace(late, frozen_at=panels.NOW), 120))
    assert "NOTHING NEW" not in plain(header_lines(panels.normal(), CONTEXT, 120))


def test_a_wide_header_tells_each_site():
    text = plain(header_lines(panels.normal(), CONTEXT, 200, 50))
    assert len(text.split("\n")) == 3
    assert "muc1 192 100 MW" in text


def test_a_frozen_header_tells_its_age():
    text = plain(header_lines(panels.normal(), replace(CONTEXT, frozen_at=panels.NOW - 60), 80))
    assert "FROZEN 1m" in text


def test_a_site_has_its_own_time():
    text = plain(header_lines(panels.normal(), replace(CONTEXT, timezone="Europe/Berlin"), 80))
    assert "09:00:01 CET" in text


def test_an_unknown_zone_is_utc():
    assert "08:00:01 UTC" in plain(header_lines(panels.normal(), replace(CONTEXT, timezone="No/Where"), 80))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 250), st.integers(4, 60), st.sampled_from([panels.normal, panels.stale, panels.hostile]))
def test_every_frame_line_is_as_wide_as_the_screen(width, height, state):
    snapshot = state()
    context = replace(CONTEXT, fleet="\x1b[31m[red]" * 9, user="[/b]" * 9)
    crumbs = Crumbs(
        "europe", "production", Place("a/b/[c]\x1b", where="x" * 99, by="cdu"), "fleet", PANELS, Marked(3, 1)
    )
    lines = (
        *header_lines(snapshot, context, width, height),
        breadcrumb_line(crumbs, width),
        footer_line(KEYS, possible(Facts(None, Place())), "lab", width),
    )
    assert {line_width(line) for line in lines} == {width}
    assert all(panels.is_safe(span.text) for line in lines for span in line)


def test_the_place_keeps_its_last_steps():
    crumbs = Crumbs("europe", "lab", Place("muc1/h2/r017/n0653/g3"), "fleet", PANELS)
    assert "europe › muc1 › h2 › r017 › n0653 › g3" in plain([breadcrumb_line(crumbs, 120)])
    assert "… n0653 › g3" in plain([breadcrumb_line(crumbs, 24)])


def test_the_place_tells_how_it_is_looked_at():
    place = Place("muc1", where="temp_c > 85", by="cdu", only_wrong=True)
    text = plain([breadcrumb_line(Crumbs("europe", "lab", place, "fleet", PANELS, Marked(3, 1)), 140)])
    for told in ("/temp_c > 85", "by cdu", "only wrong", "marked 3, 1 not shown", "1 Fleet"):
        assert told in text


def test_a_notice_stands_beside_the_place():
    crumbs = Crumbs("europe", "lab", Place(), "fleet", PANELS, notice=(Span("copied muc1"),))
    assert plain([breadcrumb_line(crumbs, 60)]).endswith("copied muc1")


def test_the_footer_offers_what_works_here():
    size = Size(80, 20)
    sortable = listing(panels.normal(), Place(), size)
    fixed = states(panels.normal(), Place(), size)
    assert {"sort", "filter", "metric"} <= possible(Facts(sortable, Place()))
    assert not {"sort", "metric", "enter", "raw", "mark", "back"} & possible(Facts(fixed, Place()))
    assert "back" in possible(Facts(fixed, Place("muc1")))
    text = plain([footer_line(KEYS, possible(Facts(sortable, Place(), enterable=True)), "lab", 80)])
    assert "⏎ deeper" in text
    assert "? help" in text
    assert "why" not in text


def test_segments_shorten_before_they_leave():
    long, short = (Span("a long story"),), (Span("story"),)
    told = [Segment((long, short), 2), segment("keep", rank=0), segment("mid", rank=1)]
    assert plain([fit(told, 40)]) == "a long story  keep  mid"
    assert plain([fit(told, 16)]) == "story  keep  mid"
    assert plain([fit(told, 10)]) == "keep  mid"
    assert plain([fit(told, 4)]) == "keep"
    assert plain([fit(told, 3)]) == "ke…"


def test_ends_cut_the_left_one():
    assert plain([ends((Span("abcdef"),), (Span("xy"),), 6)]) == "ab… xy"


@pytest.mark.parametrize(("width", "text"), [(9, "日本語gpu"), (6, "日本…"), (1, "…")])
def test_cutting_counts_cells(width, text):
    assert plain([cut((Span("日本語"), Span("gpu")), width)]) == text
