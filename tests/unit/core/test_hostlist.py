from __future__ import annotations

import pytest

from console.core.hostlist import HostListError, expand, fold


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n[0001-0003,0007]", ["n0001", "n0002", "n0003", "n0007"]),
        ("gpu[1-2]x[01-02]", ["gpu1x01", "gpu1x02", "gpu2x01", "gpu2x02"]),
        ("n10,n9 n2", ["n2", "n9", "n10"]),
        ("n[1-10/4]", ["n1", "n5", "n9"]),
        ("n[1-3]!n2", ["n1", "n3"]),
        ("n[1-3]&n[2-9]", ["n2", "n3"]),
        ("n[1-2]^n[2-3],x", ["n1", "n3", "x"]),
        ("", []),
    ],
)
def test_slurm_syntax_expands_in_natural_order(text: str, names: list[str]) -> None:
    assert expand(text) == names


def test_padding_is_part_of_the_name() -> None:
    assert sorted(expand(fold(["n1", "n01", "n001"]))) == ["n001", "n01", "n1"]


def test_folding_a_site_is_one_range() -> None:
    assert fold(f"n{i:05}" for i in range(12_500)) == "n[00000-12499]"
    assert fold(f"r{rack:03}n{node:02}" for rack in range(700) for node in range(18)) == "r[000-699]n[00-17]"


def test_a_run_keeps_its_padding_and_grows_only_without_one() -> None:
    assert fold(["n8", "n9", "n10", "n08", "n09"]) in ("n[8-10,08-09]", "n[8-9,08-10]")
    assert fold(f"n{i:02}" for i in range(98, 102)) == "n[98-101]"
    assert fold(f"n{i:02}" for i in range(102)) == "n[00-99,100-101]"


@pytest.mark.parametrize(
    "text", ["n[1-", "n1]", "n[3-1]", "n[a-b]", "@all", "x,,[", "n[01-9]", "a!", "a!&b", "n[1-2/0]"]
)
def test_a_bad_list_says_what_to_write(text: str) -> None:
    with pytest.raises(HostListError, match=r"write|missing"):
        expand(text)


@pytest.mark.parametrize("text", ["n[1-99999999]", "n[1-9999]x[1-9999]", "n[" + "1-100000," * 20 + "1]"])
def test_a_list_of_too_many_names_is_refused_before_it_is_made(text: str) -> None:
    with pytest.raises(HostListError, match="1,000,000"):
        expand(text)


@pytest.mark.parametrize("name", ["a[1]", "@gpu", "a b", "n%1", "a!b"])
def test_a_name_with_a_meaning_cannot_be_folded(name: str) -> None:
    with pytest.raises(HostListError, match="character"):
        fold([name])
