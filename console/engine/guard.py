"""Keeps a fault in one stage of the engine from stopping the others: it is said once, the last good result stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("console.engine")
Result = TypeVar("Result")


class Guard:
    """The stages of one thread; `faults` says in words which of them fail now."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}

    @property
    def faults(self) -> tuple[str, ...]:
        """What fails now, a line each."""
        return tuple(self._faults.values())

    def __call__(self, what: str, function: Callable[[], Result], fallback: Result) -> Result:
        """Return the function's result; a fault in one stage is said once and leaves the others running."""
        try:
            result = function()
        except Exception as error:
            if what not in self._faults:
                log.exception("%s: internal fault", what)
            self._faults[what] = f"{what}: internal fault: {type(error).__name__}"
            return fallback
        self._faults.pop(what, None)
        return result
