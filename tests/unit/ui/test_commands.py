from __future__ import annotations

import pytest

from console.ui.commands import COMMANDS, Known, Order, UnknownOrderError, complete, read

PANELS = ("fleet", "drilldown", "checks")
KNOWN = Known(
    panels=PANELS,
    sites=("muc1", "bcn1"),
    themes=("dark", "light"),
    views=("night", "noon"),
    metrics=("temp_c", "temp_c_max", "power_w"),
    domains=("cdu", "feed"),
    fields=("id", "temp_c_max"),
    children=lambda path: ["muc1/h1", "muc1/h2"] if path == "muc1" else ["muc1", "bcn1"],
)


@pytest.mark.parametrize(
    ("line", "order"),
    [
        (":fleet", Order("panel", "fleet")),
        ("goto muc1/h1", Order("goto", "muc1/h1")),
        ("cd muc1", Order("goto", "muc1")),
        ("q", Order("quit")),
        ("fil temp_c > 85 and x", Order("filter", "temp_c > 85 and x")),
        ("drill", Order("panel", "drilldown")),
        ("by", Order("by")),
    ],
)
def test_a_line_is_understood(line, order):
    assert read(line, PANELS) == order


@pytest.mark.parametrize(
    ("line", "said"), [("gotoo x", ":goto"), ("goto", ":goto PATH"), ("", "Tab completes"), ("zzz", "? lists all")]
)
def test_what_is_not_understood_is_explained(line, said):
    with pytest.raises(UnknownOrderError, match=said.replace("?", r"\?")):
        read(line, PANELS)


@pytest.mark.parametrize(
    ("line", "start", "words"),
    [
        ("go", 0, ("goto",)),
        ("dr", 0, ("drilldown",)),
        ("goto muc1/", 5, ("muc1/h1", "muc1/h2")),
        ("goto b", 5, ("bcn1",)),
        ("theme l", 6, ("light",)),
        ("metric temp", 7, ("temp_c", "temp_c_max")),
        ("view op", 5, ("open",)),
        ("view open n", 10, ("night", "noon")),
        ("sort -te", 6, ("temp_c_max",)),
        ("by c", 3, ("cdu",)),
        ("filter temp_c_max > 1 and cd", 26, ("cdu",)),
        ("nothing x", 8, ()),
    ],
)
def test_a_line_is_completed(line, start, words):
    found = complete(line, KNOWN)
    assert (found.start, found.words) == (start, words)


def test_every_command_is_named_once():
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))
