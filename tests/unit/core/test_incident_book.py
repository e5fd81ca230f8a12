from __future__ import annotations

from dataclasses import replace

import pytest

from console.core import incident_book
from console.core.incident_book import HOLD_S, MOST_MILD, MOST_OPEN, REMEMBER_S, STORE_EVERY_S, IncidentBook
from console.model.errors import RefusedError
from console.model.events import AlertState
from console.model.incidents import incident_id
from console.model.levels import Severity
from tests.support.signs import NOW, sign

HOT, COLD = sign("check:hot"), sign("check:cold")
WORSE = replace(HOT, severity=Severity.CRITICAL)


def opened(*signs):
    book = IncidentBook()
    return book, book.update(signs, NOW)


def test_two_memories_of_one_thing_agree_on_its_id():
    (_, (one,)), (_, (other,)) = opened(HOT), opened(HOT)
    assert one.id == other.id == incident_id("muc1", "check:hot", NOW)
    assert one.id.startswith("muc1-")


def test_what_began_before_we_looked_is_as_old_as_its_sign_says():
    assert opened(replace(HOT, since=NOW - 600))[1][0].opened_at == NOW - 600


@pytest.mark.parametrize("since", [0.0, NOW + 3600])
def test_what_says_no_time_or_one_to_come_begins_now(since):
    assert opened(replace(HOT, since=since))[1][0].opened_at == NOW


def test_a_sign_that_is_away_for_a_moment_changes_nothing():
    book, (before,) = opened(HOT)
    (away,) = book.update((), NOW + 1)
    assert (away.state, away.sign.text) == (AlertState.FIRING, f"gone: {HOT.text}")
    (after,) = book.update((HOT,), NOW + HOLD_S - 1)
    assert (after.id, after.returns, after.sign) == (before.id, 0, HOT)
    (still,) = book.update((), NOW + HOLD_S + 5)
    assert still.state is AlertState.FIRING, "the time away begins anew"


def test_a_sign_that_stays_away_is_over_and_forgotten_later():
    book, _ = opened(HOT)
    book.update((), NOW + 1)
    (over,) = book.update((), NOW + 1 + HOLD_S)
    assert (over.state, over.resolved_at, over.sign) == (AlertState.RESOLVED, NOW + 1 + HOLD_S, HOT)
    book.changed()
    assert book.update((), NOW + 2 + HOLD_S + REMEMBER_S) == ()


def test_what_is_over_and_not_stored_yet_is_not_forgotten():
    book, _ = opened(HOT)
    book.update((), NOW + 1)
    book.update((), NOW + 1 + HOLD_S)
    assert len(book.update((), NOW + 9 * REMEMBER_S)) == 1
    assert len(book.changed()) == 1
    assert book.update((), NOW + 9 * REMEMBER_S + 1) == ()


def gone_and_back(book, *signs, after=HOLD_S + 60):
    book.update((), NOW + 1)
    book.update((), NOW + 1 + HOLD_S)
    return book.update(signs, NOW + 1 + after)


def test_what_comes_back_soon_is_the_same_with_its_acknowledgement():
    book, (before,) = opened(HOT)
    book.acknowledge(before.id, "ada", NOW + 0.5, "on it")
    (after,) = gone_and_back(book, HOT)
    assert (after.id, after.state, after.returns, after.resolved_at) == (before.id, AlertState.ACKNOWLEDGED, 1, 0.0)
    assert after.acknowledgement.author == "ada"


def test_what_comes_back_worse_fires():
    book, (before,) = opened(HOT)
    book.acknowledge(before.id, "ada", NOW)
    (after,) = gone_and_back(book, WORSE)
    assert (after.id, after.state) == (before.id, AlertState.FIRING)
    assert after.acknowledgement.author == "ada"


def test_what_comes_back_late_is_another_one_even_where_its_sign_says_the_old_time():
    book, (before,) = opened(HOT)
    book.changed()
    book.update((), NOW + 1)
    book.update((), NOW + 1 + HOLD_S)
    book.changed()
    (after,) = book.update((HOT,), NOW + 5 + HOLD_S + REMEMBER_S)
    assert after.id != before.id
    assert after.opened_at == NOW + 5 + HOLD_S + REMEMBER_S


def test_one_that_grows_worse_than_it_was_when_acknowledged_fires_again():
    book, (before,) = opened(HOT)
    assert book.acknowledge(before.id, "ada", NOW).state is AlertState.ACKNOWLEDGED
    (worse,) = book.update((WORSE,), NOW + 1)
    assert (worse.state, worse.worst) == (AlertState.FIRING, Severity.CRITICAL)
    assert worse.acknowledgement.author == "ada", "who took it on stays written down"
    assert book.acknowledge(before.id, "kim", NOW + 2).acknowledgement.severity is Severity.CRITICAL
    (taken,) = book.update((WORSE,), NOW + 3)
    assert (taken.state, taken.acknowledgement.author) == (AlertState.ACKNOWLEDGED, "kim")


def test_one_that_gets_better_stays_acknowledged_and_remembers_its_worst():
    book, (before,) = opened(WORSE)
    book.acknowledge(before.id, "ada", NOW)
    (better,) = book.update((HOT,), NOW + 1)
    assert (better.state, better.worst) == (AlertState.ACKNOWLEDGED, Severity.CRITICAL)


def test_an_acknowledgement_is_taken_back():
    book, (before,) = opened(HOT)
    book.acknowledge(before.id, "ada", NOW)
    after = book.unacknowledge(before.id, "ada", NOW + 1)
    assert (after.state, after.acknowledgement) == (AlertState.FIRING, None)


def test_what_cannot_be_done_is_refused_with_the_id():
    book, (before,) = opened(HOT)
    with pytest.raises(RefusedError, match="muc1-ffffffff"):
        book.acknowledge("muc1-ffffffff", "ada", NOW)
    with pytest.raises(RefusedError, match=before.id):
        book.unacknowledge(before.id, "ada", NOW)
    book.update((), NOW + 1)
    book.update((), NOW + 1 + HOLD_S)
    with pytest.raises(RefusedError, match="is over"):
        book.acknowledge(before.id, "ada", NOW)


def test_nothing_is_over_at_a_site_that_nobody_sees():
    book, _ = opened(HOT, sign("check:hot", "bcn1"))
    for second in range(0, 600, 10):
        book.update((), NOW + second, heard={"bcn1"})
    found = {each.site: each.state for each in book.listed()}
    assert found == {"muc1": AlertState.FIRING, "bcn1": AlertState.RESOLVED}
    (seen,) = [each for each in book.update((), NOW + 601, heard={"muc1", "bcn1"}) if each.site == "muc1"]
    assert seen.state is AlertState.FIRING, "it is waited for from when the site is seen again"


def test_after_a_restart_nothing_is_lost_and_nothing_doubled():
    book, (hot, cold) = opened(HOT, COLD)
    book.acknowledge(hot.id, "ada", NOW)
    again = IncidentBook(book.listed())
    assert again.update((), NOW + 3600, heard=()) == book.listed()
    after = again.update((HOT, COLD), NOW + 3601)
    assert {each.id for each in after} == {hot.id, cold.id}
    assert {each.id for each in after if each.state is AlertState.ACKNOWLEDGED} == {hot.id}
    assert again.changed() == ()


def test_the_same_thing_told_otherwise_is_the_same_incident():
    book, (before,) = opened(sign("check:silent"))
    book.acknowledge(before.id, "ada", NOW)
    finer = sign("fault:gpu-off-bus", folds=("check:silent",))
    (after,) = book.update((finer,), NOW + 6)
    assert (after.id, after.state, after.sign.key) == (before.id, AlertState.ACKNOWLEDGED, "fault:gpu-off-bus")
    (back,) = IncidentBook((after,)).update((sign("check:silent"),), NOW + 60)
    assert back.id == before.id, "after a restart the check is there before the detector"


def test_of_two_that_fold_into_one_each_keeps_its_own_until_it_is_away():
    book, _ = opened(HOT, COLD)
    both = book.update((replace(HOT, folds=("check:cold",)),), NOW + 1)
    assert {each.sign.key for each in both} == {"check:hot", "check:cold"}
    after = book.update((replace(HOT, folds=("check:cold",)),), NOW + 1 + HOLD_S)
    assert [each.sign.key for each in after if each.state is AlertState.FIRING] == ["check:hot"]


def test_a_clock_that_goes_back_ends_nothing_and_opens_nothing():
    book, (before,) = opened(HOT)
    book.update((), NOW + 30)
    assert [each.id for each in book.update((), NOW - 86_400)] == [before.id]
    (after,) = book.update((HOT,), NOW - 86_399)
    assert (after.id, after.state) == (before.id, AlertState.FIRING)


def test_a_site_has_room_for_a_thousand_and_for_what_is_critical_before_the_others():
    mild = [sign(f"alert:{number}") for number in range(MOST_OPEN)]
    book = IncidentBook()
    assert len(book.update(mild, NOW)) == MOST_MILD
    assert book.left_out == {"muc1": MOST_OPEN - MOST_MILD}
    bad = [sign(f"alert:bad{number}", severity=Severity.CRITICAL) for number in range(300)]
    assert len(book.update([*mild, *bad], NOW + 1)) == MOST_OPEN
    assert book.left_out == {"muc1": MOST_OPEN - MOST_MILD + 300 - (MOST_OPEN - MOST_MILD)}
    assert len(book.update([*mild, sign("alert:1", "bcn1")], NOW + 2)) == MOST_OPEN + 1


def test_what_is_over_is_bounded_too(monkeypatch):
    monkeypatch.setattr(incident_book, "MOST_OVER", 10)
    book, _ = opened(*(sign(f"alert:{number}") for number in range(40)))
    book.update((), NOW + 1)
    book.update((), NOW + 1 + HOLD_S)
    book.changed()
    assert len(book.update((), NOW + 2 + HOLD_S)) == 10


def test_what_changed_is_told_once():
    book, (hot,) = opened(HOT)
    assert book.changed() == (hot,)
    assert book.changed() == ()
    taken = book.acknowledge(hot.id, "ada", NOW)
    assert book.changed() == (taken,)
    book.update((), NOW + 1)
    assert book.changed() == (), "that it is away may pass"


def test_numbers_that_wobble_are_stored_now_and_then():
    book, _ = opened(HOT)
    book.changed()
    stored = 0
    for second in range(1, 121):
        book.update((replace(HOT, gpus=second, text=f"{second} GPUs"),), NOW + second)
        stored += len(book.changed())
    assert stored == 120 / STORE_EVERY_S


def test_what_only_lasts_is_not_stored_again():
    book, _ = opened(HOT)
    book.changed()
    for second in range(600):
        book.update((HOT,), NOW + second)
        assert book.changed() == ()


def test_what_only_lasts_stays_the_same_object_and_says_in_the_end_when_it_was_there_last():
    book, (first,) = opened(HOT)
    assert book.update((HOT,), NOW + 50) == (first,)
    book.update((), NOW + 51)
    (over,) = book.update((), NOW + 51 + HOLD_S)
    assert over.seen_at == NOW + 50


def test_worst_first_and_what_nobody_took_on_before_what_somebody_did():
    signs = [sign("alert:a", gpus=9), sign("alert:b"), sign("alert:c", severity=Severity.CRITICAL)]
    book, incidents = opened(*signs)
    assert [each.sign.key for each in incidents] == ["alert:c", "alert:a", "alert:b"]
    book.acknowledge(incidents[1].id, "ada", NOW)
    assert [each.sign.key for each in book.update(signs, NOW + 1)] == ["alert:c", "alert:b", "alert:a"]
