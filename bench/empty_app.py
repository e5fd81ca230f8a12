"""The reference of start-up: an empty Textual app that paints one word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult


class EmptyApp(App[None]):
    """Nothing but a word."""

    def compose(self) -> ComposeResult:
        """Make the one widget."""
        yield Static("painted")


if __name__ == "__main__":
    EmptyApp().run()
