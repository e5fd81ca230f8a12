"""What was put is what is loaded, whatever it is; what was acknowledged outlives SIGKILL at any point."""

from __future__ import annotations

import random
import tempfile
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from console.state import portable
from console.state.store import open_store
from tests.support.killed_writer import check_all_there, write_until_killed
from tests.support.remembered import SITE, incidents, notes, views

if TYPE_CHECKING:
    from console.model.incidents import Incident, Note, SharedView

few = settings(deadline=None, max_examples=25, phases=[Phase.explicit, Phase.generate])


@few
@given(st.lists(incidents, max_size=5), st.lists(notes, max_size=5), st.lists(views, max_size=5))
def test_what_was_put_is_what_is_loaded(some: list[Incident], written: list[Note], saved: list[SharedView]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(open_store(f"sqlite:///{folder}/memory.db", realm="lab")) as store:
            with store.begin() as writer:
                writer.put_incidents(some)
                for note in written:
                    writer.add_note(note)
                for view in saved:
                    writer.put_view(SITE, view)
            found = store.load([SITE])
            portable.export(store, folder / "copy.jsonl.gz", at=1.0)
        assert found.incidents == tuple(sorted({each.id: each for each in some}.values(), key=lambda each: each.id))
        assert set(found.notes) == set({each.id: each for each in written}.values())
        assert set(found.views[SITE]) == set({each.name: each for each in saved}.values())
        with closing(open_store(f"sqlite:///{folder}/other.db", realm="lab")) as other:
            portable.restore(other, folder / "copy.jsonl.gz")
            assert other.load([SITE]) == found


class UndoneError(Exception):
    """What ends a transaction that is not to be kept."""


ids = st.sampled_from(["a", "b", "c"])
deeds = st.one_of(
    st.tuples(st.just("incident"), st.builds(lambda id, each: replace(each, id=id), ids, incidents)),
    st.tuples(st.just("note"), st.builds(lambda id, each: replace(each, id=id), ids, notes)),
    st.tuples(st.just("drop"), ids),
)


@few
@given(st.lists(st.tuples(st.booleans(), st.lists(deeds, max_size=4)), max_size=6))
def test_only_what_was_kept_counts_whatever_came_before(transactions: list[tuple[bool, list[tuple[str, Any]]]]) -> None:
    kept: tuple[dict[str, Incident], dict[str, Note]] = ({}, {})
    with (
        tempfile.TemporaryDirectory() as name,
        closing(open_store(f"sqlite:///{name}/memory.db", realm="lab")) as store,
    ):
        for is_kept, some in transactions:
            draft = (dict(kept[0]), dict(kept[1]))
            with suppress(UndoneError), store.begin() as writer:
                for what, each in some:
                    if what == "incident":
                        writer.put_incidents([each])
                        draft[0][each.id] = each
                    elif what == "note":
                        writer.add_note(each)
                        draft[1][each.id] = each
                    else:
                        assert writer.drop_note(each) is (draft[1].pop(each, None) is not None)
                if not is_kept:
                    raise UndoneError
            kept = draft if is_kept else kept
        found = store.load([SITE])
    assert {each.id: each for each in found.incidents} == kept[0]
    assert {each.id: each for each in found.notes} == kept[1]


def test_what_was_acknowledged_outlives_the_writer_s_end(tmp_path: Path) -> None:
    url, chance, last = f"sqlite:///{tmp_path}/memory.db", random.Random(7), -1
    for _ in range(6):
        last = write_until_killed(url, last + 1, chance)
        check_all_there(url, last)
