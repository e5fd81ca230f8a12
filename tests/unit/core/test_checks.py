from __future__ import annotations

from dataclasses import replace

import pytest

from console.core.checks import CheckBook, default_checks
from console.core.expr import compile_expression
from console.model.builtin_metrics import BUILTIN
from console.model.events import CheckResult, CheckSpec
from console.model.levels import Level, Severity
from console.model.snapshot import Frame
from tests.support.panels import NOW, site_frame

CALM, HOT = site_frame("muc1"), site_frame("muc1", hot=3)
BLIND = site_frame("muc1", stale=True)
SPEC = CheckSpec("hot", "temp_c > 87", warning=1, critical=5)


def once(spec: CheckSpec, *sites: object) -> CheckResult:
    return CheckBook([spec], BUILTIN).update(Frame(NOW, "f", BUILTIN, sites), NOW)[0]  # type: ignore[arg-type]  # frames


def test_a_finding_says_how_many_where_and_whose() -> None:
    result = once(SPEC, HOT, site_frame("bcn1", gone=8))
    assert (result.severity, result.matches, result.unknown, result.expected) == (Severity.WARNING, 1, 8, 384)
    assert result.paths == ("muc1/h1/r001/n0001/g3",)
    assert result.jobs == ("llm-7",)
    assert result.by_site == (("muc1", 1, 0), ("bcn1", 0, 8))
    assert result.text == "1 GPU of 384: temp_c > 87; 8 not judged"


def test_many_matches_are_critical_and_the_addresses_are_bounded() -> None:
    result = once(CheckSpec("warm", "temp_c > 50", warning=1, critical=5), HOT)
    assert result.severity is Severity.CRITICAL
    assert len(result.paths) == 10


def test_critical_beats_unknown_and_unknown_beats_ok_only_when_nothing_can_be_judged() -> None:
    assert once(replace(SPEC, critical=1), HOT, site_frame("hel1", stale=True)).severity is Severity.CRITICAL
    assert once(SPEC, CALM, site_frame("hel1", stale=True)).severity is Severity.OK
    assert once(SPEC, BLIND).severity is Severity.UNKNOWN
    assert once(replace(SPEC, where="ecc_dbe > 0"), CALM).severity is Severity.UNKNOWN
    assert once(SPEC).severity is Severity.UNKNOWN


def test_a_stale_site_is_unknown_even_where_the_condition_needs_no_numbers() -> None:
    result = once(CheckSpec("silent", "gpus_reporting < gpus", Level.NODE, warning=1), BLIND)
    assert (result.matches, result.unknown, result.severity) == (0, 24, Severity.UNKNOWN)


def test_a_worse_state_holds_after_it_lasted_and_a_better_one_at_once() -> None:
    book = CheckBook([replace(SPEC, for_s=60)], BUILTIN)
    told = []
    for at, hot in ((0, -1), (10, 3), (69, 3), (70, 3), (80, -1), (90, 3), (95, -1), (100, 3), (155, 3)):
        site = site_frame("muc1", hot=hot, age_s=0.5 - at)
        result = book.update(Frame(NOW, "f", BUILTIN, (site,)), NOW + at)[0]
        told.append((at, result.severity.value, result.pending and result.pending.value, result.since - NOW))
    assert told == [
        (0, "ok", None, 0),
        (10, "ok", "warning", 0),
        (69, "ok", "warning", 0),
        (70, "warning", None, 70),
        (80, "ok", None, 80),
        (90, "ok", "warning", 80),
        (95, "ok", None, 80),
        (100, "ok", "warning", 80),
        (155, "ok", "warning", 80),
    ]


def test_turning_blind_waits_too_so_that_a_late_source_does_not_hide_what_is_known() -> None:
    book = CheckBook([replace(SPEC, for_s=60)], BUILTIN)
    states = [
        book.update(Frame(NOW, "f", BUILTIN, (site,)), NOW + at)[0].severity
        for at, site in ((0, HOT), (10, BLIND), (70, BLIND))
    ]
    assert states == [Severity.WARNING, Severity.WARNING, Severity.UNKNOWN]


def test_what_a_site_says_first_counts_at_once() -> None:
    book = CheckBook([replace(SPEC, for_s=60)], BUILTIN)
    silent = replace(site_frame("bcn1", hot=3), data_at=0.0)
    first = book.update(Frame(NOW, "f", BUILTIN, (CALM, silent)), NOW)[0]
    second = book.update(Frame(NOW, "f", BUILTIN, (CALM, site_frame("bcn1", hot=3))), NOW + 1)[0]
    assert (first.severity, second.severity) == (Severity.OK, Severity.WARNING)


def test_a_condition_that_cannot_be_read_is_unknown_with_its_reason_and_the_others_run() -> None:
    book = CheckBook([CheckSpec("bad", "tmp_c > 5"), SPEC], BUILTIN)
    bad, good = book.update(Frame(NOW, "f", BUILTIN, (HOT,)), NOW)
    assert bad.severity is Severity.UNKNOWN
    assert "temp_c" in bad.text
    assert good.severity is Severity.WARNING


def test_a_check_of_the_fleet_has_one_row() -> None:
    result = once(CheckSpec("power", "gpu_power_w_sum > 1k", Level.FLEET, critical=1), CALM, BLIND)
    assert (result.matches, result.expected, result.severity) == (1, 1, Severity.CRITICAL)


@pytest.mark.parametrize("spec", default_checks(), ids=lambda spec: spec.name)
def test_default_checks_compile_and_their_names_are_unique(spec: CheckSpec) -> None:
    assert compile_expression(spec.where, BUILTIN, spec.level)
    assert [each.name for each in default_checks()].count(spec.name) == 1


def test_default_checks_do_not_ask_for_facility_numbers_that_nobody_offers() -> None:
    results = CheckBook(default_checks(), BUILTIN).update(Frame(NOW, "f", BUILTIN, (CALM,)), NOW)
    states = {result.name: result.severity for result in results}
    assert states["pue"] is states["coolant"] is states["inlet"] is states["hot"] is Severity.OK
    assert states["ecc"] is Severity.UNKNOWN
