"""The parts of an expression; each knows the column (from 1) where it was written."""

from __future__ import annotations

from dataclasses import dataclass


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
