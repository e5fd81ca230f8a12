"""Turns the parts of an expression into column operations, and tells what does not fit together by its column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.expr.folds import all_of, any_of
from console.core.expr.patterns import compiled_pattern, matches
from console.core.expr.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Junction,
    Literal,
    Membership,
    Name,
    Negative,
    Not,
    Part,
    first_column,
    is_text,
    names_in,
)
from console.core.expr.truth import Number, Truth, both, compared, computed, either, exactly
from console.core.registry import Field, UnknownFieldError, field_named, is_wider
from console.core.segments import run_sums
from console.model.errors import ExpressionError
from console.model.levels import LEVELS, Level
from console.model.values import dataclass

if TYPE_CHECKING:
    import re

    from numpy.typing import NDArray

    from console.core.rows import Children, RowColumns
    from console.core.texts import TextValues
    from console.model.metrics import MetricTable

AGGREGATES = ("any", "all", "count")
REMEMBERED_LIMIT = 256
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, eq=False)
class Context:
    """The rows that an expression is asked about; within any(), all(), count() also the finer rows of each."""

    rows: RowColumns
    children: Children | None = None

    @property
    def length(self) -> int:
        """How many rows, or pairs of row and finer row, there are."""
        if self.children is None:
            return self.rows.count
        return int(self.children.starts[-1])

    def columns(self, *, finer: bool) -> RowColumns:
        """Return the rows, or the finer rows."""
        return self.children.rows if finer and self.children is not None else self.rows

    def lift(self, values: NDArray[Any], *, finer: bool) -> NDArray[Any]:
        """Return a column of the rows, or of the finer rows, as one of this context's length."""
        if self.children is None:
            return values
        return self.children.inner(values) if finer else self.children.outer(values)


Condition = Callable[[Context], Truth]
Amount = Callable[[Context], Number]


class Compiler:
    """Compiles the parts of one expression for the rows of one level (or domain kind)."""

    def __init__(self, text: str, metrics: MetricTable, level: str, domains: Sequence[str]) -> None:
        self._text = text
        self._metrics = metrics
        self._level = level
        self._domains = domains
        self._inner: Level | None = None

    def condition(self, part: Part) -> Condition:
        """Return what judges a condition; raises ExpressionError."""
        if isinstance(part, Junction):
            return _junction(part.word, [self.condition(each) for each in part.parts])
        if isinstance(part, Not):
            value = self.condition(part.value)
            return lambda context: value(context).negated()
        if isinstance(part, Comparison):
            return self._comparison(part)
        if isinstance(part, Membership):
            return self._membership(part)
        if isinstance(part, Call) and part.function in ("any", "all"):
            return self._aggregate(part)
        if isinstance(part, Call) and part.function == "missing":
            return self._missing(part)
        what = f"{part}" if isinstance(part, Name) else "this"
        raise self._fault(part, f"{what} is no condition by itself; compare it, such as {what} > 0")

    def amount(self, part: Part) -> Amount:
        """Return what computes a number; raises ExpressionError."""
        if isinstance(part, Literal) and isinstance(part.value, float):
            constant = exactly(part.value)
            return lambda context: constant
        if isinstance(part, Name):
            return self._numbers(part)
        if isinstance(part, Negative):
            zero, value = exactly(0.0), self.amount(part.value)
            return lambda context: computed("-", zero, value(context))
        if isinstance(part, Arithmetic):
            sign, left, right = part.sign, self.amount(part.left), self.amount(part.right)
            return lambda context: computed(sign, left(context), right(context))
        if isinstance(part, Call) and part.function == "count":
            return self._count(part)
        if isinstance(part, Call) and part.function == "age":
            return self._age(part)
        kind = "a text" if isinstance(part, Literal) else "a condition"
        raise self._fault(part, f"{kind} stands where a number is needed")

    def _fault(self, part: Part, message: str) -> ExpressionError:
        return ExpressionError(self._text, first_column(part), message)

    def _field(self, name: Name) -> tuple[Field, bool]:
        """Return a field, and whether it is one of the finer rows."""
        level = self._level
        if name.prefix:
            if self._inner is None or name.prefix != self._inner:
                raise self._fault(name, f"{name} speaks of finer rows: put it into any(), all() or count()")
            level = self._inner
        try:
            return field_named(name.name, level, self._metrics, self._domains), bool(name.prefix)
        except UnknownFieldError as error:
            raise self._fault(name, str(error)) from None

    def _text_field(self, part: Part) -> tuple[Field, bool] | None:
        """Return a part that is the name of a text field, None for anything else."""
        found = self._field(part) if isinstance(part, Name) else None
        return found if found is not None and found[0].is_text else None

    def _comparison(self, part: Comparison) -> Condition:
        if part.sign in ("=~", "!~"):
            return self._pattern(part)
        left, right, sign = part.left, part.right, part.sign
        if is_text(left) and not is_text(right):
            left, right, sign = right, left, _MIRRORED[sign]
        text = self._text_field(left)
        if text is not None:
            if not isinstance(right, Literal) or not isinstance(right.value, str):
                raise self._fault(right, f"{left} is a text: compare it with a text in quotes")
            return self._equal(part, text, sign, right.value)
        if is_text(right):
            raise self._fault(
                right, f"{left if isinstance(left, Name) else 'this'} is a number: compare it with a number"
            )
        first, second = self.amount(left), self.amount(right)
        return lambda context: compared(sign, first(context), second(context), context.length)

    def _equal(self, part: Comparison, text: tuple[Field, bool], sign: str, wanted: str) -> Condition:
        if sign not in ("==", "!="):
            raise ExpressionError(self._text, part.column, f"texts have no {sign}; there are == != =~ !~ and in")
        choices = frozenset({wanted})
        return _text_condition(text, lambda names: names.hits(choices), negated=sign == "!=")

    def _pattern(self, part: Comparison) -> Condition:
        text = self._text_field(part.left)
        if text is None:
            raise self._fault(part.left, f"{part.sign} matches a text field with a pattern")
        if not isinstance(part.right, Literal) or not isinstance(part.right.value, str):
            raise self._fault(part.right, f"after {part.sign} a pattern in quotes is missing")
        try:
            pattern = compiled_pattern(part.right.value)
        except ValueError as error:
            raise self._fault(part.right, str(error)) from None
        return _text_condition(text, lambda names: _matching(pattern, names), negated=part.sign == "!~")

    def _membership(self, part: Membership) -> Condition:
        text = self._text_field(part.value)
        for choice in part.choices:
            if isinstance(choice.value, str) is (text is None):
                raise self._fault(choice, f"{'numbers' if text is None else 'texts in quotes'} are needed in this list")
        if text is not None:
            wanted = frozenset(str(choice.value) for choice in part.choices)
            return _text_condition(text, lambda names: names.hits(wanted), negated=part.negated)
        value = self.amount(part.value)
        numbers = [exactly(float(choice.value)) for choice in part.choices]

        def judge(context: Context) -> Truth:
            found = value(context)
            truth = compared("==", found, numbers[0], context.length)
            for number in numbers[1:]:
                truth = either(truth, compared("==", found, number, context.length))
            return truth.negated() if part.negated else truth

        return judge

    def _numbers(self, name: Name) -> Amount:
        field, finer = self._field(name)
        if field.is_text:
            raise self._fault(name, f"{name} is a text: compare it with == != =~ !~ or in")
        return lambda context: exactly(context.lift(context.columns(finer=finer).number(field), finer=finer))

    def _named(self, call: Call) -> tuple[Field, bool]:
        if not isinstance(call.argument, Name):
            raise self._fault(call.argument, f"{call.function}() takes the name of a field")
        return self._field(call.argument)

    def _missing(self, call: Call) -> Condition:
        field, finer = self._named(call)

        def judge(context: Context) -> Truth:
            rows = context.columns(finer=finer)
            gone = rows.text(field).missing() if field.is_text else np.isnan(rows.number(field))
            return Truth(context.lift(gone, finer=finer))

        return judge

    def _age(self, call: Call) -> Amount:
        field, finer = self._named(call)
        if field.metric is None:
            raise self._fault(call.argument, "age() takes the name of a metric; age_s is the age of a whole row")
        return lambda context: exactly(context.lift(context.columns(finer=finer).age(field), finer=finer))

    def _within(self, call: Call) -> tuple[Level, Condition]:
        """Return the level of the finer rows that a call speaks of, and its condition on them."""
        if self._inner is not None:
            raise self._fault(call, f"{call.function}() cannot stand inside any(), all() or count()")
        names = [name for name in names_in(call.argument) if name.prefix]
        if not names:
            raise self._fault(call, f"{call.function}() speaks of finer rows: write {call.function}(gpu.temp_c > 85)")
        first = names[0]
        if first.prefix not in [level.value for level in LEVELS[1:]] or not is_wider(self._level, first.prefix):
            finer = [level.value for level in LEVELS if is_wider(self._level, level)]
            hint = f"there are {', '.join(f'{each}.' for each in finer)}" if finer else "nothing is finer"
            raise self._fault(first, f"a {self._level} has no {first.prefix} rows below it; {hint}")
        self._inner = Level(first.prefix)
        try:
            return self._inner, self.condition(call.argument)
        finally:
            self._inner = None

    def _aggregate(self, call: Call) -> Condition:
        level, condition = self._within(call)
        fold = any_of if call.function == "any" else all_of

        def judge(context: Context) -> Truth:
            children = context.rows.children(level)
            return fold(condition(Context(context.rows, children)), children)

        return judge

    def _count(self, call: Call) -> Amount:
        level, condition = self._within(call)

        def count(context: Context) -> Number:
            children = context.rows.children(level)
            truth = condition(Context(context.rows, children))
            certain = run_sums(truth.true, children.starts).astype(np.float64)
            if truth.unknown is None:
                return exactly(certain)
            return Number(certain, certain + run_sums(truth.unknown, children.starts))

        return count


def _junction(word: str, conditions: Sequence[Condition]) -> Condition:
    def judge(context: Context) -> Truth:
        truth = conditions[0](context)
        for condition in conditions[1:]:
            if word == "and" and truth.unknown is None and not truth.true.any():
                return truth
            truth = (both if word == "and" else either)(truth, condition(context))
        return truth

    return judge


def _matching(pattern: re.Pattern[str], text: TextValues) -> NDArray[np.bool_]:
    return np.fromiter((matches(pattern, name) for name in text.names), dtype=bool, count=len(text.names))


def _text_condition(
    text: tuple[Field, bool], hits: Callable[[TextValues], NDArray[np.bool_]], *, negated: bool
) -> Condition:
    """Return a condition on a text field; what the distinct names gave is kept while they are the same object."""
    field, finer = text
    known: dict[int, tuple[Sequence[str], NDArray[np.bool_]]] = {}

    def marked(values: TextValues) -> NDArray[np.bool_]:
        kept = known.get(id(values.names))
        if kept is not None and kept[0] is values.names:
            return kept[1]
        if len(known) >= REMEMBERED_LIMIT:
            known.clear()
        known[id(values.names)] = (values.names, hits(values))
        return known[id(values.names)][1]

    def judge(context: Context) -> Truth:
        values = context.columns(finer=finer).text(field)
        true, missing = values.any_of(marked(values))
        truth = Truth(true, missing if missing.any() else None).lifted(lambda each: context.lift(each, finer=finer))
        return truth.negated() if negated else truth

    return judge
