"""Every captured payload is read as its index says, or refused with a message that names why, or is none of ours."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

import pytest

from console.model.errors import ConsoleError
from tests.payloads.bmc_readers import WHOLE, asked
from tests.payloads.index import (
    FOLDER,
    MISSING,
    Compared,
    Empty,
    Entry,
    NotOurs,
    Read,
    Refused,
    entries,
    folders,
    outcomes_of,
)
from tests.payloads.outcomes import RULES

pytestmark = [pytest.mark.payload, pytest.mark.skipif(not FOLDER.is_dir(), reason=MISSING)]
EVERY = [entry for folder in folders() for entry in entries(folder)]
# A limit, so that nobody calls a payload foreign because a reader is missing.
MOST_FOREIGN = 0.1


def cases(kind: type[object]) -> list[object]:
    found = [entry for entry in EVERY if isinstance(next(iter(outcomes_of(entry, RULES)), None), kind)]
    skip = pytest.mark.skip(reason=MISSING)
    return [pytest.param(entry, id=entry.name) for entry in found] or [pytest.param(None, marks=skip, id="none")]


def outcome_of(entry: Entry) -> object:
    return outcomes_of(entry, RULES)[0]


@pytest.mark.parametrize("folder", folders() or ["none"])
def test_the_index_names_every_file_and_every_file_is_there(folder: str) -> None:
    listed = Counter(entry.name for entry in entries(folder))
    there = {str(path.relative_to(FOLDER)) for path in (FOLDER / folder).rglob("*") if path.is_file()}
    assert set(listed) == there - {f"{folder}/INDEX.tsv"}
    assert set(listed.values()) == {1}


def test_no_folder_is_without_an_index() -> None:
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == folders()
    assert folders()


def test_every_file_has_an_outcome_and_every_rule_a_file() -> None:
    assert [entry.name for entry in EVERY if not outcomes_of(entry, RULES)] == []
    used = {id(outcome_of(entry)) for entry in EVERY}
    assert [pattern for pattern, outcome in RULES if id(outcome) not in used] == []


@pytest.mark.parametrize("entry", cases(Read))
def test_it_is_read_as_its_index_says(entry: Entry) -> None:
    outcome = outcome_of(entry)
    assert isinstance(outcome, Read)
    assert outcome.reader(entry) > 0


@pytest.mark.parametrize("entry", cases(Empty))
def test_it_is_read_and_holds_nothing_for_us(entry: Entry) -> None:
    outcome = outcome_of(entry)
    assert isinstance(outcome, Empty)
    assert outcome.reader(entry) == 0, outcome.why


@pytest.mark.parametrize("entry", cases(Refused))
def test_it_is_refused_in_a_sentence_that_names_why(entry: Entry) -> None:
    outcome = outcome_of(entry)
    assert isinstance(outcome, Refused)
    with pytest.raises(ConsoleError, match=outcome.message) as caught:
        outcome.reader(entry)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("lab/")


@pytest.mark.parametrize("entry", cases(Compared))
def test_our_own_names_agree_with_it(entry: Entry) -> None:
    outcome = outcome_of(entry)
    assert isinstance(outcome, Compared)
    assert outcome.check(entry) > 0


def test_few_are_none_of_ours_and_each_says_why() -> None:
    foreign = [outcome for entry in EVERY if isinstance(outcome := outcome_of(entry), NotOurs)]
    assert all(len(outcome.why) > 10 for outcome in foreign)
    assert len(foreign) <= MOST_FOREIGN * len(EVERY)


@pytest.mark.parametrize("bmc", WHOLE)
async def test_a_visit_asks_for_nothing_that_is_called_none_of_ours(bmc: str) -> None:
    told = await asked([entry for entry in EVERY if fnmatchcase(entry.name, f"redfish/{bmc}")])
    assert len(told) >= 3
    assert [entry.name for entry in told if isinstance(outcome_of(entry), NotOurs)] == []
