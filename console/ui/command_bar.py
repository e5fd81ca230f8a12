"""What the prompt does with commands: completion, and the usage of the one being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import Span
from console.ui.commands import COMMANDS, Completion, Known, complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.views import Line


class CommandMode:
    """Writing a command; `known` tells what may be named at the time."""

    prefix = ":"
    name = "command"

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known

    def complete(self, value: str) -> Completion:
        """Return what may stand at the end."""
        return complete(value, self._known())

    def hint(self, value: str, column: int) -> Line:
        """Return the words that fit, and what the command takes."""
        head = Span(" " * column)
        words = self.complete(value).words
        usage = self._usage(value)
        listed = "  ".join(word.rpartition("/")[2] if "/" in word else word for word in words)
        if not usage:
            return (head, Span(listed or "Tab completes, Enter runs, Esc leaves", "text.dim"))
        return (head, Span(usage, "key.label"), Span(f"   {listed}", "text.dim"))

    def fault(self, value: str) -> bool:
        """A command is judged when it is run."""
        return False

    def _usage(self, value: str) -> str:
        name = value.partition(" ")[0]
        found = next((each for each in COMMANDS if name == each.name or name in each.aliases), None)
        return f"{found.usage}  {found.help}".strip() if found else ""
