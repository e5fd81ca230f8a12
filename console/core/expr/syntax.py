"""The parts of an expression; each knows the column (from 1) where it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a text."""

    value: float | str
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """A field; `prefix` names the level of finer rows (`gpu.temp_c`)."""

    prefix: str
    name: str
    column: int

    def __str__(self) -> str:
        return f"{self.prefix}.{self.name}" if self.prefix else self.name


@dataclass(frozen=True, slots=True)
class Call:
    """`any`, `all`, `count`, `missing` or `age` of something."""

    function: str
    argument: Part
    column: int


@dataclass(frozen=True, slots=True)
class Negative:
    """`-x`."""

    value: Part
    column: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`a + b`, and - * /; `column` is that of the sign."""

    sign: str
    left: Part
    right: Part
    column: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a < b`, and <= > >= == != =~ !~; `column` is that of the sign."""

    sign: str
    left: Part
    right: Part
    column: int


@dataclass(frozen=True, slots=True)
class Membership:
    """`a in [x, y]`; `negated` for `not in`."""

    value: Part
    choices: tuple[Literal, ...]
    negated: bool
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    """`not a`."""

    value: Part
    column: int


@dataclass(frozen=True, slots=True)
class Junction:
    """`a and b and c`, or `or`."""

    word: str
    parts: tuple[Part, ...]
    column: int


Part = Literal | Name | Call | Negative | Arithmetic | Comparison | Membership | Not | Junction


def first_column(part: Part) -> int:
    """Return where a part begins."""
    if isinstance(part, (Arithmetic, Comparison)):
        return first_column(part.left)
    if isinstance(part, Membership):
        return first_column(part.value)
    return first_column(part.parts[0]) if isinstance(part, Junction) else part.column


def is_text(part: Part) -> bool:
    """Return whether a part is a text in quotes."""
    return isinstance(part, Literal) and isinstance(part.value, str)


def names_in(part: Part) -> list[Name]:
    """Return every field that a part names, from left to right."""
    if isinstance(part, Name):
        return [part]
    inner: Sequence[Part] = ()
    if isinstance(part, (Arithmetic, Comparison)):
        inner = (part.left, part.right)
    elif isinstance(part, Junction):
        inner = part.parts
    elif isinstance(part, (Negative, Not, Membership)):
        inner = (part.value,)
    elif isinstance(part, Call):
        inner = (part.argument,)
    return [name for each in inner for name in names_in(each)]
