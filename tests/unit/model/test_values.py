from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from console.model.values import dataclass

OPTIONS = [
    {},
    {"frozen": True},
    {"eq": False},
    {"frozen": True, "eq": False},
    {"frozen": True, "slots": True},
    {"eq": False, "slots": True},
    {"frozen": True, "order": True},
    {"frozen": True, "kw_only": True},
]
ARGUMENTS = [
    lambda kind: kind(1),
    lambda kind: kind(1, "b", [3], 9),
    lambda kind: kind(one=1, many=[4]),
    lambda kind: kind(),
    lambda kind: kind(1, 2, 3, 4, 5),
    lambda kind: kind(1, no=1),
]
DEEDS = [
    lambda kind: kind(one=1) == kind(one=1, hidden=8),
    lambda kind: kind(one=1) == kind(one=2),
    lambda kind: kind(one=1) == (1, "two", [], 7),
    lambda kind: kind(one=1) != kind(one=1),
    lambda kind: isinstance(hash(kind(one=1)), int),
    # Both are alive, so that two that hash by identity differ.
    lambda kind: len({*map(hash, [kind(one=1, many=()), kind(one=1, many=(), hidden=9)])}),
    lambda kind: len({kind(one=1, many=()), kind(one=1, many=(), hidden=9)}),
    lambda kind: repr(kind(one=1)),
    lambda kind: setattr(kind(one=1), "one", 5),
    lambda kind: refused(lambda: setattr(kind(one=1), "unknown", 5)),
    lambda kind: delattr(kind(one=1), "one"),
    lambda kind: refused(lambda: delattr(kind(one=1), "unknown")),
    lambda kind: kind(one=1) < kind(one=2),
    lambda kind: dataclasses.replace(kind(one=1), two="x").two,
    lambda kind: [(each.name, each.default, each.type) for each in dataclasses.fields(kind)],
    lambda kind: kind.__match_args__,
    lambda kind: hasattr(kind(one=1), "__dict__"),
    lambda kind: [getattr(kind.__dataclass_params__, name) for name in ("init", "repr", "eq", "order", "frozen")],
    lambda kind: kind.__doc__ is None,
    lambda kind: kind.__init__.__qualname__,
]


def refused(act: Any) -> bool:
    try:
        act()
    except (AttributeError, TypeError):  # TypeError: the standard library's super() in a class with slots
        return True
    return False


def shaped(decorate: Any, **options: bool) -> Any:
    class Shape:
        one: int
        two: str = "two"
        many: list[int] = field(default_factory=list)
        hidden: int = field(default=7, repr=False, compare=False)

        def total(self) -> int:
            return self.one + len(self.many)

    return decorate(**options)(Shape)


def outcome(act: Any, kind: Any) -> Any:
    try:
        return act(kind)
    except Exception as error:
        return type(error)


@pytest.fixture(params=OPTIONS, ids=str)
def pair(request):
    return shaped(dataclass, **request.param), shaped(dataclasses.dataclass, **request.param)


@pytest.mark.parametrize("act", ARGUMENTS)
def test_it_takes_what_the_standard_one_takes(pair, act):
    ours, usual = (outcome(lambda kind: dataclasses.asdict(act(kind)), kind) for kind in pair)
    assert ours == usual


@pytest.mark.parametrize("act", DEEDS)
def test_it_does_what_the_standard_one_does(pair, act):
    # Twice: what is written at the first call does the same at the second.
    for _ in range(2):
        assert outcome(act, pair[0]) == outcome(act, pair[1])


def test_methods_are_written_when_they_are_first_called():
    ours = shaped(dataclass, frozen=True)
    before = {name: vars(ours)[name] for name in ("__init__", "__eq__", "__hash__", "__repr__")}
    ours(1, many=())
    after = {name for name, method in before.items() if vars(ours)[name] is not method}
    assert after == {"__init__"}
    assert {ours(1, many=())} == {ours(1, many=())}
    assert vars(ours)["__eq__"] is not before["__eq__"]
    assert vars(ours)["__repr__"] is before["__repr__"]


@dataclass(frozen=True, slots=True)
class Slotted:
    one: int
    two: str = "two"


@dataclass(frozen=True)
class Checked:
    one: int
    seen: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.one < 0:
            raise ValueError("below zero")


@dataclass
class Holder:
    held: list[Any]


@dataclass(frozen=True)
class Derived(Slotted):
    three: int = 3


def test_a_slotted_one_can_be_copied_and_pickled():
    value = Slotted(1, "x")
    assert copy.deepcopy(value) == copy.copy(value) == pickle.loads(pickle.dumps(value)) == value


def test_what_a_class_checks_is_checked_each_time():
    for _ in range(2):
        with pytest.raises(ValueError, match="below zero"):
            Checked(-1)
    assert Checked(1) == Checked(1)


def test_one_may_stand_on_another():
    assert repr(Derived(1)) == "Derived(one=1, two='two', three=3)"
    assert Derived(1) != Slotted(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Derived(1).three = 4


def test_a_value_that_holds_itself_can_be_shown():
    value = Holder([])
    value.held.append(value)
    assert repr(value) == "Holder(held=[...])"


FLOORS = ("model", "core", "present", "emulator", "engine", "extend", "ui", "cli")
CONSOLE = Path(__file__).parents[3] / "console"


def test_what_a_start_imports_uses_it():
    usual = re.compile(r"^from dataclasses import .*\bdataclass\b", re.MULTILINE)
    modules = [path for floor in FLOORS for path in (CONSOLE / floor).rglob("*.py") if path.name != "values.py"]
    assert [str(path) for path in modules if usual.search(path.read_text())] == []
