from __future__ import annotations

import dataclasses

import pytest

from console.model.events import Finding
from console.model.levels import Level, Severity
from console.model.place import Place, Size
from console.present.plain import render
from tests.support import panels

WIDE = Size(180, 46)
EVIL = "\x1b[31m[bold]\u202egpu\r\n"


def finding(path="muc1/h1/r001/n0001/g3", fault="stuck-temp_c", source="prometheus", **more):
    text = more.pop("text", "temp_c says 54 in 40 samples")
    return Finding(
        "telemetry", fault, path.partition("/")[0], Level.GPU, path, path, Severity.WARNING, text, (),
        panels.NOW - 90, source, **more,
    )  # fmt: skip


@pytest.fixture
def lying():
    normal = panels.normal()
    names = {(source.site, source.name) for source in normal.sources}
    source = next(name for site, name in sorted(names) if site == "muc1")
    told = (
        finding(source=source),
        finding("muc1/h1/r001/n0001/g4", source=source),
        finding("muc1/h2/r004/n0013/g0", fault="gap", source="other"),
    )
    return panels.with_incidents(dataclasses.replace(normal, findings=told))


def text(snapshot, panel, **place):
    return "\n".join(render(panels.load_panel(panel).view(snapshot, Place(**place), WIDE), WIDE.width))


def test_the_fleet_has_one_line_for_each_fault(lying):
    shown = text(lying, "fleet")
    assert shown.count("2 GPUs: stuck-temp_c: temp_c says 54 in 40 samples") == 1
    assert "gap: " in shown


def test_a_source_says_what_of_its_telemetry_lies(lying):
    shown = text(lying, "sources", selected=f"source:muc1/{lying.findings[0].source}")
    assert "stuck-temp_c for" in shown
    assert "muc1/h1/r001/n0001/g3: temp_c says 54 in 40 samples; and 1 more" in shown
    assert "▲ 2" in shown
    assert "gap for" not in shown, "that is another source's"


def test_a_node_and_a_gpu_say_what_was_found_on_them(lying):
    assert "g3 stuck-temp_c: temp_c says 54" in text(lying, "drilldown", path="muc1/h1/r001/n0001")
    assert "stuck-temp_c: temp_c says 54" in text(lying, "drilldown", path="muc1/h1/r001/n0001/g3")
    assert "stuck" not in text(lying, "drilldown", path="muc1/h1/r001/n0002")


def test_a_long_message_of_a_source_is_broken_between_words(lying):
    said = "cannot connect to prometheus.muc1.example port 9090: connection refused; is the server running there?"
    broken = dataclasses.replace(lying.sources[0], last_error=said)
    place = Place(selected=f"source:{broken.site}/{broken.name}")
    view = panels.load_panel("sources").view(dataclasses.replace(lying, sources=(broken,)), place, Size(80, 20))
    assert set(said.split()) <= {word for line in render(view, 80) for word in line.split()}


@pytest.mark.parametrize("panel", ["fleet", "sources", "drilldown"])
def test_what_a_detector_says_is_never_markup(lying, panel):
    evil = finding(fault=EVIL, text=EVIL * 20, source=lying.sources[0].name)
    snapshot = panels.with_incidents(dataclasses.replace(lying, findings=(evil,)))
    for place in (Place(), Place(path="muc1/h1/r001/n0001/g3")):
        view = panels.load_panel(panel).view(snapshot, place, WIDE)
        assert all(panels.is_safe(word) for word in panels.words(view))
        assert all(panels.is_safe(line) for line in render(view, WIDE.width))
