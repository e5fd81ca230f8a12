"""Ctrl+P: everything that can be done, as lines to search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass
from console.ui.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.ui.keys import KeyMap
    from console.ui.setup import PanelInfo

# Moving is done by keys; searching for it would bury what is looked for.
NOT_LISTED = frozenset({"Moving", "Later", "Panels"})


@dataclass(frozen=True)
class Entry:
    """One line: its name, words about it, and what it does: an action's id or a command's line."""

    name: str
    about: str
    action_id: str = ""
    line: str = ""


def entries(keys: KeyMap, panels: Sequence[PanelInfo], themes: Sequence[str]) -> Iterator[Entry]:
    """Yield panels, actions, commands that need no argument, themes."""
    for panel in panels:
        yield Entry(f"panel {panel.title}", f"show it  {panel.key}".rstrip(), line=panel.id)
    for action in keys.actions:
        if action.group not in NOT_LISTED and action.id != "palette":
            names = " ".join(keys.name_of(key) for key in action.keys)
            yield Entry(action.label, f"{action.help}  {names}".rstrip(), action_id=action.id)
    for command in COMMANDS:
        if not command.required:
            yield Entry(f":{command.name}", command.help, line=command.name)
    for name in themes:
        yield Entry(f"theme {name}", "change the theme", line=f"theme {name}")
