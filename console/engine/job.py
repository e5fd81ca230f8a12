"""A function on its way to another thread, with the future that waits for what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.engine.views import settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class Job:
    """Calls a function and settles a future with it, unless nobody waits any more."""

    def __init__(self, function: Callable[[], Any], future: Future[Any]) -> None:
        self.function = function
        self.future = future

    def __call__(self) -> None:
        """Call the function, once."""
        if self.future.done():
            return
        try:
            settle(self.future, result=self.function())
        except Exception as error:
            settle(self.future, error=error)
