from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.hostlist import HostListError, expand, fold

number = st.integers(0, 120).flatmap(lambda n: st.integers(1, 4).map(lambda width: f"{n:0{width}d}"))
name = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["n", "gpu-", "r1n"]), number),
    st.builds("r{}n{}{}".format, number, number, st.sampled_from(["", "-ib", "x"])),
    st.sampled_from(["login", "a.b.c", "h1"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(name, max_size=40))
def test_expanding_what_was_folded_gives_the_same_names(names: list[str]) -> None:
    assert sorted(expand(fold(names))) == sorted(set(names))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="n0129[]-,/!&^@ x%*\n", max_size=24))
def test_any_text_gives_names_or_a_host_list_error(text: str) -> None:
    try:
        names = expand(text)
    except HostListError:
        return
    assert len(set(names)) == len(names)


@settings(max_examples=150, deadline=None)
@given(st.lists(name, max_size=40))
def test_another_reader_of_host_lists_understands_what_was_folded(names: list[str]) -> None:
    node_set = pytest.importorskip("ClusterShell.NodeSet")
    read = node_set.NodeSet(fold(names), resolver=node_set.RESOLVER_NOGROUP)
    assert sorted(read) == sorted(set(names))
