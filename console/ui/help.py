"""The help: every key and command that there is, made from the key map and the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import Span
from console.ui.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.views import Line
    from console.ui.keys import Action, KeyMap
    from console.ui.setup import PanelInfo

KEY_CELLS = 16
USAGE_CELLS = 27


def help_lines(keys: KeyMap, panels: Sequence[PanelInfo]) -> tuple[Line, ...]:
    """Return the lines; each tells its group too, so that a search finds it by it."""
    lines: list[Line] = []
    by_digit = {panel.key: panel for panel in panels}
    for group in dict.fromkeys(action.group for action in keys.actions):
        actions = [action for action in keys.actions if action.group == group and action.keys]
        if group == "Panels":
            actions = [action for action in actions if action.id.removeprefix("panel.") in by_digit]
        lines += _group("Not in this version yet" if group == "Later" else group)
        lines += [_key_line(keys, action, by_digit) for action in actions]
    lines += _group("Commands")
    lines += [_command_line(f":{panel.id}", f"show the panel {panel.title}") for panel in panels]
    lines += [_command_line(f":{each.name} {each.usage}".rstrip(), each.help) for each in COMMANDS]
    lines += _group("Filters")
    lines += [_command_line(example, meaning) for example, meaning in FILTERS]
    return tuple(lines[1:])


FILTERS = (
    ("temp_c > 85", "GPUs hotter than 85 C"),
    ('temp_c_max > 85 and cdu == "c4"', "above GPU level a metric has aggregates"),
    ("any(gpu.temp_c > 85)", "what holds such a GPU"),
    ('job =~ "llm-.*"', "by a regular expression"),
    ("missing(util_pct)", "what does not report"),
    ("age(temp_c) > 60", "what is older than a minute"),
)


def _group(title: str) -> list[Line]:
    return [(), (Span(f" {title}", "title"),)]


def _key_line(keys: KeyMap, action: Action, panels: dict[str, PanelInfo]) -> Line:
    names = " ".join(keys.name_of(key) for key in action.keys)
    panel = panels.get(action.id.removeprefix("panel."))
    told = f"show the panel {panel.title}" if action.group == "Panels" and panel else action.help
    return (Span(f"   {names:<{KEY_CELLS}}", "key"), Span(told), Span(f"   {action.id}", "text.dim"))


def _command_line(usage: str, told: str) -> Line:
    return (Span(f"   {usage:<{USAGE_CELLS}} ", "key"), Span(told))
