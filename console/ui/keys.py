"""The key map: what can be done with a key, under which id, and which keys do it; a value that a user may remap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Prefixes and pane keys of tmux and screen: no default may use them.
RESERVED = frozenset({"ctrl+a", "ctrl+b", "ctrl+space", "ctrl+@", "ctrl+h", "ctrl+j", "ctrl+k", "ctrl+l"})
PANEL_KEYS = tuple("123456789")
GLYPHS = {
    "enter": "⏎",
    "escape": "Esc",
    "space": "Space",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key does; `label` is its word in the footer, `later` that this version does not have it."""

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: str
    later: bool = False


def _panel(number: str) -> Action:
    return Action(f"panel.{number}", (number,), "panel", f"show panel {number}", "Panels")


ACTIONS: tuple[Action, ...] = (
    *(_panel(number) for number in PANEL_KEYS),
    Action("row.down", ("j", "down"), "down", "one row down", "Moving"),
    Action("row.up", ("k", "up"), "up", "one row up", "Moving"),
    Action("left", ("h", "left"), "left", "to the left: a cell of a map, hidden columns of a table", "Moving"),
    Action("right", ("l", "right"), "right", "to the right", "Moving"),
    Action("page.down", ("pagedown", "ctrl+f"), "page down", "one page down", "Moving"),
    Action("page.up", ("pageup", "ctrl+u"), "page up", "one page up", "Moving"),
    Action("first", ("g", "home"), "first", "to the first row", "Moving"),
    Action("last", ("G", "end"), "last", "to the last row", "Moving"),
    Action("part.next", ("tab",), "part", "to the next part of the panel", "Moving"),
    Action("enter", ("enter",), "deeper", "go deeper: to what is under the cursor", "Place"),
    Action("back", ("escape",), "back", "take the filter away, else go up; never quits", "Place"),
    Action("place.back", ("[",), "before", "to the place before", "Place"),
    Action("place.forward", ("]",), "next", "to the next place again", "Place"),
    Action("filter", ("/",), "filter", "show only what satisfies an expression", "Looking"),
    Action("wrong", ("!",), "wrong", "show only what is wrong, or everything again", "Looking"),
    Action("sort", ("s",), "sort", "choose the column to sort by", "Looking"),
    Action("sort.reverse", ("S",), "reverse", "turn the order round", "Looking"),
    Action("metric", ("m",), "metric", "choose the metric of maps and order", "Looking"),
    Action("by", ("b",), "by", "group by a domain (CDU, NVLink, ...), not by the tree", "Looking"),
    Action("mark", ("space",), "mark", "mark or unmark what is under the cursor", "Looking"),
    Action("unmark", ("U",), "unmark", "take every mark away", "Looking"),
    Action("raw", ("d",), "raw", "what each voice says of what is under the cursor", "Looking"),
    Action("why", ("w",), "why", "what happened to it: time line, suspect, silent voices", "Looking"),
    Action("acknowledge", ("A",), "ack", "acknowledge its incidents, or take that back", "Looking"),
    Action("note", ("N",), "note", "write a note on it, for everybody who looks here", "Looking"),
    Action("logs", ("L",), "logs", "follow its logs: job output, pod, kernel, BMC", "Looking"),
    Action("shell", ("x",), "shell", "a shell on the node, through its jump hosts", "Looking"),
    Action("copy", ("y",), "copy", "copy its address (works over SSH and in tmux)", "Looking"),
    Action("freeze", ("p",), "freeze", "freeze the screen, or let it run again", "Looking"),
    Action("clock", ("z",), "clock", "UTC or the site's own time", "Looking"),
    Action("refresh", ("r",), "read now", "read the sources of this place now", "Looking"),
    Action("command", (":",), "command", "type a command", "Console"),
    Action("help", ("?",), "help", "all keys and commands, searchable", "Console"),
    Action("palette", ("ctrl+p",), "palette", "search everything that can be done", "Console"),
    Action("suspend", ("ctrl+z",), "suspend", "back to the shell; fg returns", "Console"),
    Action("quit", ("q", "ctrl+c"), "quit", "leave; asks only if something runs here", "Console"),
    Action("act", ("a",), "act", "actions on what is marked", "Later", later=True),
    Action("travel", ("t",), "time", "time travel", "Later", later=True),
)


@dataclass(frozen=True, eq=False)
class KeyMap:
    """Which key does what; `words` names keys by words where their signs cannot be shown."""

    actions: tuple[Action, ...]
    by_key: Mapping[str, Action]
    words: bool = False

    def __getitem__(self, action_id: str) -> Action:
        return next(action for action in self.actions if action.id == action_id)

    def of(self, key: str) -> Action | None:
        """Return the action of a key as `spelling` names it."""
        return self.by_key.get(key)

    def shown(self, action_id: str) -> str:
        """Return the first key of an action as it is printed on keyboards, empty where it has none."""
        keys = self[action_id].keys
        return self.name_of(keys[0]) if keys else ""

    def name_of(self, key: str) -> str:
        """Return a key's name as people write it."""
        shown = shown_key(key)
        return shown if shown.isascii() or not self.words else key.capitalize()


def spelling(key: str, character: str | None) -> str:
    """Return how the key map spells a key press: the character it prints, else its name such as `ctrl+p`."""
    if character is not None and len(character) == 1 and character.isprintable() and not character.isspace():
        return character
    return key


def shown_key(key: str) -> str:
    """Return a key's name as people write it."""
    if key in GLYPHS:
        return GLYPHS[key]
    name, _, letter = key.rpartition("+")
    return f"{name.capitalize()}+{letter.upper()}" if name and letter else key


def key_map(
    overrides: Mapping[str, Sequence[str] | str] | None = None, *, words: bool = False
) -> tuple[KeyMap, tuple[str, ...]]:
    """Return the key map with a user's own keys, and what is wrong with these in words.

    A key that the user gives to an action is taken from the one that had it; an empty list takes all keys away.
    """
    own = {name: _as_keys(keys) for name, keys in (overrides or {}).items()}
    known = {action.id for action in ACTIONS}
    faults = [f"settings: keys.{name}: there is no such action" for name in own if name not in known]
    faults += _doubles(own, known)
    taken = {key for name, keys in own.items() if name in known for key in keys}
    actions = tuple(_with_keys(action, own.get(action.id), taken) for action in ACTIONS)
    by_key: dict[str, Action] = {}
    for action in actions:
        for key in action.keys:
            by_key.setdefault(key, action)
    return KeyMap(actions, by_key, words), tuple(faults)


def _as_keys(keys: Sequence[str] | str) -> tuple[str, ...]:
    return (keys,) if isinstance(keys, str) else tuple(keys)


def _doubles(own: Mapping[str, tuple[str, ...]], known: Iterable[str]) -> list[str]:
    owner: dict[str, str] = {}
    faults = []
    for name in (name for name in own if name in set(known)):
        for key in own[name]:
            if owner.setdefault(key, name) != name:
                faults += [f"settings: keys.{name}: {key} is given to {owner[key]} already"]
    return faults


def _with_keys(action: Action, own: tuple[str, ...] | None, taken: set[str]) -> Action:
    keys = own if own is not None else tuple(key for key in action.keys if key not in taken)
    return Action(action.id, keys, action.label, action.help, action.group, action.later)


def as_markdown(keys: KeyMap) -> str:
    """Return the key map as the text of docs/keys.md."""
    lines = [
        "# Keys",
        "",
        "Made from the key map (`console/ui/keys.py`); a test keeps it in step. Every key can be changed in the",
        "settings: `keys: {ACTION: [KEY, ...]}`; a key is the character that it prints, or a name such as `ctrl+p`,",
        "`pagedown`, `space`. No single key changes anything in a site.",
    ]
    for group in dict.fromkeys(action.group for action in keys.actions):
        title = "Not in this version yet" if group == "Later" else group
        lines += ["", f"## {title}", "", "| keys | action | does |", "|---|---|---|"]
        lines += [
            f"| {' '.join(f'`{shown_key(key)}`' for key in action.keys)} | `{action.id}` | {action.help} |"
            for action in keys.actions
            if action.group == group
        ]
    return "\n".join(lines) + "\n"
