"""A driver of Textual's that tells what is written, what the terminal has taken, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition, Key, MouseDown, MouseScrollDown, MouseScrollUp, Paste

from console.ui.wire.drain import Outlet

if TYPE_CHECKING:
    from textual.driver import Driver
    from textual.message import Message

TYPED = (Key, MouseDown, MouseScrollDown, MouseScrollUp, Paste)


class Listener(Protocol):
    """Who is told; `hook.Wire`."""

    def started(self, outlet: Outlet | None) -> None:
        """The terminal is about to be ours."""
        ...

    def greet(self) -> None:
        """The terminal is ours, and nothing is drawn yet."""
        ...

    def stopped(self) -> None:
        """The terminal is about to be the shell's again."""
        ...

    def answered(self) -> None:
        """The terminal answered a question; told in the thread that reads."""
        ...

    def typed(self) -> None:
        """Somebody pressed a key or a button; told in the thread that reads."""
        ...

    def drained(self) -> None:
        """The terminal has taken all; told in the thread that writes."""
        ...

    def wrote(self, text: str, size_bytes: int) -> None:
        """Something was given to the driver."""
        ...


def wired(base: type[Driver], wire: Listener) -> type[Driver]:
    """Return a driver that tells the wire what is written and what the terminal has taken."""

    class WiredDriver(base):  # type: ignore[misc, valid-type]  # the class is chosen at run time
        _outlet: Outlet | None = None

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            file = getattr(self, "_file", None)
            if issubclass(base, LinuxDriver) and file is not None:
                self._file = self._outlet = Outlet(file, wire.drained)

        def start_application_mode(self) -> None:
            wire.started(self._outlet)
            super().start_application_mode()
            wire.greet()

        def process_message(self, message: Message) -> None:
            if isinstance(message, CursorPosition):
                wire.answered()
                return
            if isinstance(message, TYPED):
                wire.typed()
            super().process_message(message)

        def disable_input(self) -> None:
            wire.stopped()
            super().disable_input()

        def write(self, data: str) -> None:
            size = len(data.encode("utf-8", "replace")) if self._outlet is None else self._outlet.queue(data)
            wire.wrote(data, size)
            super().write(data)

    return WiredDriver
