"""What the prompt does with free words: a note on an acknowledgement or on an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import Span
from console.ui.commands import Completion

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.views import Line


class SayMode:
    """Writing words; `take` gets them. With `required` nothing is not enough."""

    def __init__(
        self, prefix: str, name: str, hint: str, take: Callable[[str], None], *, required: bool = False
    ) -> None:
        self.prefix = prefix
        self.name = name
        self.take = take
        self._hint = hint
        self._required = required

    def complete(self, value: str) -> Completion:
        """Words of one's own are not completed."""
        return Completion(len(value))

    def hint(self, value: str, column: int) -> Line:
        """Return what Enter does."""
        return (Span(" " * column), Span(self._hint, "text.dim"))

    def fault(self, value: str) -> bool:
        """Whether there are no words where some are needed."""
        return self._required and not value.strip()
