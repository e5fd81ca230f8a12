"""What the prompt does with filters: the fault and its column as it is written, names to complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import Span
from console.ui.commands import Completion, Known, complete_expression

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.errors import ExpressionError
    from console.model.views import Line

EXAMPLE = 'such as temp_c > 85 and cdu == "c4"; nothing takes the filter away'


class FilterMode:
    """Writing a filter; `judge` returns the fault of a text, `known` what may be named."""

    prefix = "/"
    name = "filter"

    def __init__(self, judge: Callable[[str], ExpressionError | None], known: Callable[[], Known]) -> None:
        self._judge = judge
        self._known = known

    def complete(self, value: str) -> Completion:
        """Return the names that may stand at the end."""
        return complete_expression(0, value, self._known())

    def hint(self, value: str, column: int) -> Line:
        """Return a mark below the fault with what is wrong, else the names that fit."""
        if not value.strip():
            return (Span(" " * column), Span(EXAMPLE, "text.dim"))
        fault = self._judge(value)
        words = self.complete(value).words
        if fault is None:
            told = "  ".join(words) or "Enter filters; what is missing or stale never matches"
            return (Span(" " * column), Span(told, "text.dim"))
        at = column + max(0, fault.column - 1)
        if at > len(fault.message):
            return (Span(" " * (at - len(fault.message) - 1)), Span(f"{fault.message} ^", "state.warning"))
        listed = f"   {'  '.join(words)}" if words else ""
        return (Span(" " * at), Span(f"^ {fault.message}", "state.warning"), Span(listed, "text.dim"))

    def fault(self, value: str) -> bool:
        """A filter that cannot be compiled is not taken: the text stays to be mended."""
        return self._judge(value) is not None
