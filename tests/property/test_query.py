from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.query import select
from console.model.levels import Level
from tests.support.columns import random_site
from tests.support.panels import snapshot

SNAPSHOT = snapshot((random_site("muc10", 7), random_site("muc2", 8), random_site("hel1", 9, stale=True)))
LEVELS = [Level.SITE, Level.HALL, Level.RACK, Level.NODE, Level.GPU]
SORTS = ["", "id", "-id", "util_pct", "-util_pct", "name", "-parent", "gpus_reporting"]
WHERE = ["", "util_pct > 2", "not (util_pct > 2)", 'site =~ "muc.*"']


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LEVELS), st.sampled_from(SORTS), st.sampled_from(WHERE), st.integers(40, 300))
def test_pages_put_together_are_the_whole(level: Level, sort: str, where: str, limit: int) -> None:
    whole = select(SNAPSHOT, level, sort=sort, where=where, fields=("id",))
    pages: list[str] = []
    while True:
        after = pages[-1] if pages else ""
        page = select(SNAPSHOT, level, sort=sort, where=where, fields=("id",), limit=limit, after=after)
        pages += page.ids
        if len(page.ids) < limit:
            break
    assert pages == list(whole.ids)
    assert len(set(pages)) == len(pages) == whole.total == page.total


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LEVELS), st.sampled_from(["util_pct", "age_s", "it_power_w"]), st.booleans(), st.integers(1, 50))
def test_the_first_rows_of_a_sort_are_those_of_the_whole_with_missing_last(
    level: Level, field: str, down: bool, limit: int
) -> None:
    sort = f"-{field}" if down else field
    fields = ("id", field)
    whole = list(select(SNAPSHOT, level, sort=sort, fields=fields).to_dicts())
    natural = {each: at for at, each in enumerate(select(SNAPSHOT, level, fields=("id",)).ids)}
    expected = sorted(
        whole,
        key=lambda row: (row[field] is None, (-1 if down else 1) * (row[field] or 0), natural[row["id"]]),
    )
    assert whole == expected
    assert list(select(SNAPSHOT, level, sort=sort, fields=fields, limit=limit).to_dicts()) == whole[:limit]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([Level.FLEET, *LEVELS]), st.integers(0, 400), st.integers(0, 50))
def test_dicts_are_json_without_nan(level: Level, start: int, length: int) -> None:
    rows = select(SNAPSHOT, level)
    found = list(rows.to_dicts(start, start + length))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [row["id"] for row in found] == list(rows.ids[start : start + length])
