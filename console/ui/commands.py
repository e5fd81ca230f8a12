"""The commands of the `:` bar as values: what there is, how a line is read, and how it is completed."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CANDIDATES = 40
VIEW_DEEDS = ("open", "save", "delete", "share", "unshare")


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `takes` names what its argument is, `usage` shows it, `help` is one line."""

    name: str
    usage: str
    help: str
    takes: str = ""
    aliases: tuple[str, ...] = ()
    required: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("goto", "PATH | NODE | UUID", "go to an address, a node's name or a GPU", "path", ("go", "cd"), True),
    Command("site", "SITE", "go to a site", "site", required=True),
    Command("up", "", "go to the parent"),
    Command("filter", "[EXPR]", "only what satisfies EXPR; nothing: everything", "expression", ("where",)),
    Command("metric", "NAME", "choose the metric of maps and order", "metric", required=True),
    Command("by", "[DOMAIN]", "group by a domain; nothing: the tree again", "domain"),
    Command("sort", "[-]FIELD", "by a column (- falling); nothing: worst first", "field"),
    Command("cells", "[site|hall|rack|node|gpu]", "a map's cell; nothing: the finest", "level"),
    Command("wrong", "", "show only what is wrong, or everything again"),
    Command("view", "[open|save|delete|share|unshare NAME]", "saved views; nothing: a list", "view", ("v",)),
    Command("theme", "[NAME]", "change the theme; nothing: read files again", "theme", ("colours", "colors")),
    Command("utc", "", "show UTC"),
    Command("time", "", "show the site's own time", aliases=("local",)),
    Command("freeze", "", "freeze the screen, or let it run again"),
    Command("refresh", "", "read the sources of this place now"),
    Command("raw", "[PATH]", "what each voice says of an object", "path"),
    Command("why", "[job:ID | NODE | PATH]", "what happened to a job, a node or a GPU", "path"),
    Command("logs", "[job:ID | PATH]", "follow the logs of a job, a node or a GPU", "path"),
    Command("acknowledge", "[NOTE]", "take on the incidents of the row or the marks", aliases=("ack",)),
    Command("note", "[TEXT]", "a note on the row or the marks, for everybody"),
    Command("notes", "[PATH | all]", "the notes on an object, or all that are kept", "path"),
    Command("shell", "[PATH]", "a shell on a node, through the jump hosts", "path", ("ssh",)),
    Command("login", "SITE", "log in to jump hosts that ask for a code", "site", required=True),
    Command("copy", "", "copy the address under the cursor"),
    Command("unmark", "", "take every mark away"),
    Command("link", "", "show or hide bytes sent and the screen's lag"),
    Command("statistics", "", "the engine's own health", aliases=("stats",)),
    Command("notices", "", "every notice of this session", aliases=("log", "messages")),
    Command("help", "", "all keys and commands, searchable", aliases=("h",)),
    Command("quit", "", "leave", aliases=("q", "exit")),
)


def _nothing_below(_: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Known:
    """What a line may name here, for completion."""

    panels: Sequence[str] = ()
    sites: Sequence[str] = ()
    themes: Sequence[str] = ()
    views: Sequence[str] = ()
    metrics: Sequence[str] = ()
    domains: Sequence[str] = ()
    fields: Sequence[str] = ()
    children: Callable[[str], Sequence[str]] = field(default=_nothing_below)


@dataclass(frozen=True)
class Order:
    """A line that was understood: the command's name (`panel` with a panel's id as argument) and its argument."""

    name: str
    argument: str = ""


class UnknownOrderError(ValueError):
    """A line that is no command, in words for the user."""


def read(line: str, panels: Sequence[str]) -> Order:
    """Return what a line orders; raises UnknownOrderError."""
    name, _, argument = line.strip().removeprefix(":").strip().partition(" ")
    argument = argument.strip()
    if name in panels:
        return Order("panel", name)
    command = _named(name)
    if command is None:
        started = [each for each in _names(panels) if each.startswith(name)]
        if len(started) == 1 and name:
            return read(f"{started[0]} {argument}", panels)
        raise UnknownOrderError(_unknown(name, started, panels))
    if command.required and not argument:
        raise UnknownOrderError(f"write :{command.name} {command.usage}")
    return Order(command.name, argument)


def _named(name: str) -> Command | None:
    return next((each for each in COMMANDS if name == each.name or name in each.aliases), None)


def _names(panels: Sequence[str]) -> list[str]:
    return [*panels, *(command.name for command in COMMANDS)]


def _unknown(name: str, started: list[str], panels: Sequence[str]) -> str:
    from difflib import get_close_matches

    if not name:
        return "write a command, such as :goto muc1; Tab completes, ? lists all"
    near = started or get_close_matches(name, _names(panels), n=3)
    return f"no command :{name}" + (f"; did you mean :{' or :'.join(near[:3])}?" if near else "; ? lists all")


@dataclass(frozen=True)
class Completion:
    """Words that may stand at `start` of the line, in place of what is there."""

    start: int
    words: tuple[str, ...] = ()


def complete(line: str, known: Known) -> Completion:
    """Return the words that fit at the end of a line."""
    name, space, argument = line.partition(" ")
    if not space:
        words = sorted(_names(known.panels), key=lambda word: (word not in known.panels, word))
        return Completion(0, _fitting(words, name))
    command = _named(name)
    start = len(name) + 1
    if command is None:
        return Completion(start)
    if command.takes == "view":
        deed, again, _ = argument.partition(" ")
        views = known.views if again and deed in VIEW_DEEDS else VIEW_DEEDS
        start += len(deed) + 1 if again else 0
        return Completion(start, _fitting(views, line[start:]))
    return _of_kind(command.takes, start, argument, known)


def _of_kind(takes: str, start: int, argument: str, known: Known) -> Completion:
    if takes == "path":
        words = known.children(argument.rpartition("/")[0])
        return Completion(start, _fitting(words, argument))
    if takes == "field" and argument.startswith("-"):
        return Completion(start + 1, _fitting(known.fields, argument[1:]))
    table: dict[str, Sequence[str]] = {
        "site": known.sites,
        "theme": known.themes,
        "metric": known.metrics,
        "domain": known.domains,
        "field": known.fields,
        "level": ("site", "hall", "rack", "node", "gpu"),
    }
    if takes == "expression":
        return complete_expression(start, argument, known)
    return Completion(start, _fitting(table.get(takes, ()), argument))


def complete_expression(start: int, text: str, known: Known) -> Completion:
    """Return the names that fit the word being written at the end of an expression."""
    at = len(text)
    while at and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at -= 1
    if at == len(text):
        return Completion(start + at)
    words = sorted({*known.fields, *known.metrics, *known.domains, "site", "job", "and", "or", "not"})
    return Completion(start + at, _fitting(words, text[at:]))


def _fitting(words: Sequence[str], beginning: str) -> tuple[str, ...]:
    fitting = [word for word in words if word.startswith(beginning) and word != beginning]
    return tuple(fitting[:CANDIDATES])
