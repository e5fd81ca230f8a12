"""Ctrl+P: everything that can be done, found by its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content

from console.ui.commands import COMMANDS
from console.ui.keys import shown_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.command import Hits

    from console.ui.keys import KeyMap
    from console.ui.setup import AppSetup

# Moving is done by keys; searching for it would bury what is looked for.
NOT_LISTED = frozenset({"Moving", "Later", "Panels"})


class Doer(Protocol):
    """The screen, as the palette sees it."""

    setup: AppSetup
    keys: KeyMap

    def do(self, action_id: str) -> None:
        """Do an action."""
        ...

    def order(self, line: str) -> None:
        """Run a command."""
        ...


@dataclass(frozen=True)
class Entry:
    """One line of the palette."""

    text: str
    help: str
    run: Callable[[], None]


def entries(doer: Doer) -> Iterator[Entry]:
    """Yield panels, actions, commands that need no argument, themes."""
    for panel in doer.setup.panels:
        yield Entry(f"{panel.title}: show the panel", f":{panel.id}", _order(doer, panel.id))
    for action in doer.keys.actions:
        if action.group not in NOT_LISTED and action.id != "palette":
            names = " ".join(shown_key(key) for key in action.keys)
            yield Entry(f"{action.label}: {action.help}", names, _deed(doer, action.id))
    for command in COMMANDS:
        if not command.required:
            yield Entry(f":{command.name} {command.help}", command.usage, _order(doer, command.name))
    for name in doer.setup.themes:
        yield Entry(f"theme {name}", f":theme {name}", _order(doer, f"theme {name}"))


def _order(doer: Doer, line: str) -> Callable[[], None]:
    return lambda: doer.order(line)


def _deed(doer: Doer, action_id: str) -> Callable[[], None]:
    return lambda: doer.do(action_id)


class Everything(Provider):
    """What the palette lists."""

    @property
    def _entries(self) -> Iterator[Entry]:
        return entries(cast("Doer", self.screen))

    async def discover(self) -> Hits:
        """List everything before a word is typed."""
        for entry in self._entries:
            yield DiscoveryHit(Content(entry.text), entry.run, text=entry.text, help=entry.help)

    async def search(self, query: str) -> Hits:
        """List what fits, the best first."""
        matcher = self.matcher(query)
        for entry in self._entries:
            score = matcher.match(entry.text)
            if score > 0:
                yield Hit(score, matcher.highlight(entry.text), entry.run, text=entry.text, help=entry.help)
