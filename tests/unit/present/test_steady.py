from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.present.formats import FORMATS, format_value
from console.present.steady import FIXED_STEPS, QUANTA, STEP_LIMITS, Steady, is_near

UNITS = {" W": 1.0, " kW": 1e3, " MW": 1e6, " GW": 1e9, " %": 1.0, " C": 1.0, " MHz": 1.0, "": 1.0}
OWN = {"megawatt": 1e6, "ratio_pct": 0.01}
SPANS = {"power": 1e9, "megawatt": 1e9, "mhz": 2500.0, "temp": 120.0, "pct": 100.0, "ratio_pct": 1.0}


def told(text, form):
    """Return the number that a text says."""
    number, unit = text, ""
    for each in UNITS:
        if each and text.endswith(each):
            number, unit = text.removesuffix(each), each
    return float(number.replace(",", "")) * (UNITS[unit] if form not in OWN else OWN[form])


def keep(values, form):
    """Return what is written for a number that takes these values in turn."""
    steady, written = Steady(), []
    for value in values:
        steady = Steady(steady)
        written.append(format_value(steady.keep("cell", value, form), form))
    return written


@pytest.mark.parametrize(
    ("form", "values", "written"),
    [
        ("power", (612, 613, 611, 621, 622.5, 615), ["612 W", "612 W", "612 W", "612 W", "622 W", "622 W"]),
        ("ratio_pct", (0.58, 0.59, 0.57, 0.599, 0.601), ["58 %", "58 %", "58 %", "58 %", "60 %"]),
        ("temp", (81, 82, 80, 82.4, 82.5), ["81 C", "81 C", "81 C", "81 C", "82 C"]),
        ("megawatt", (135.4e6, 135.9e6, 134.2e6, 136.1e6), ["135", "135", "135", "136"]),
        ("int", (1000, 1001, 1000), ["1,000", "1,001", "1,000"]),
        ("age", (1, 2, 3), ["1 s", "2 s", "3 s"]),
    ],
)
def test_noise_below_the_quantum_is_not_written(form, values, written):
    assert keep(values, form) == written


def test_what_goes_missing_and_comes_back_is_written_at_once():
    assert keep((80.0, math.nan, 80.4, math.inf, 80.0), "temp") == ["80 C", "—", "80 C", "inf", "80 C"]


def test_cells_and_columns_do_not_hold_each_other():
    first = Steady()
    assert [first.keep(("a", "temp"), 80.0, "temp"), first.keep(("b", "temp"), 80.5, "temp")] == [80.0, 80.5]
    second = Steady(first)
    assert [second.keep(("a", "temp"), 80.5, "temp"), second.keep(("a", "power"), 80.5, "power")] == [80.0, 80.5]


def test_what_was_not_on_the_screen_is_forgotten():
    first = Steady()
    first.keep("a", 80.0, "temp")
    second = Steady(first)
    assert Steady(second).keep("a", 80.5, "temp") == 80.5


def test_every_quantum_is_of_a_format_that_there_is():
    assert set(QUANTA) <= set(FORMATS)
    assert set(FIXED_STEPS) | set(STEP_LIMITS) == set(QUANTA)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(QUANTA)), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_what_is_written_is_never_a_quantum_off(form, parts):
    span = SPANS.get(form, 3.0)
    values = [span * part**3 for part in parts]
    steady = Steady()
    for value in values:
        kept = steady.keep("cell", value, form)
        number = told(format_value(kept, form), form)
        last = abs(number) / 100 + 0.01 * span if form == "megawatt" else abs(number) / 100
        assert abs(value - number) <= max(QUANTA[form], last, FIXED_STEPS.get(form, 0.0)) * (1 + 1e-9) + 1e-9


@settings(deadline=None, max_examples=200)
@given(st.floats(0, 1e9), st.sampled_from(sorted(QUANTA)))
def test_a_value_is_near_to_itself(value, form):
    assert is_near(value, value, form)
