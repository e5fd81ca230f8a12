"""What is to be seen at a place: the level of the rows, and the filter compiled at the first level that fits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.plugin import LEVELS, ExpressionError, Level, Severity, compile_expression

if TYPE_CHECKING:
    from console.plugin import Expression, Frame, Place, Snapshot

# What `!` keeps at each level: what does not report, what is hot, what has lost memory for good.
WRONG_ABOVE = "gpus_reporting < gpus or alerts > 0 or temp_c_max > {hot} or ecc_dbe > 0"
WRONG_GPU = "missing(temp_c) or temp_c > {hot} or ecc_dbe > 0 or remap_failed > 0"
BAD = (Severity.WARNING, Severity.CRITICAL)
NAMED_LIMIT = 200


@dataclass(frozen=True, eq=False)
class Scope:
    """The rows' level, and the filters that select them (`fault` is why the user's text cannot be compiled)."""

    level: Level
    where: Expression | None = None
    fault: ExpressionError | None = None


def level_at(frame: Frame, path: str) -> Level | None:
    """Return the level of the object at an address, None where there is none."""
    if not path:
        return Level.FLEET
    site = frame.site(path.partition("/")[0])
    found = site.topology.resolve(path) if site else None
    return found[0] if found else None


def scope(snapshot: Snapshot, place: Place, at: Level) -> Scope:
    """Return what the table of a place shows: its children, or the finer rows that the filter speaks of."""
    text = place.where.strip()
    fault: ExpressionError | None = None
    for level in LEVELS[at.child.depth :] if not place.by else (at.child,):
        try:
            if text:
                _compile(snapshot.frame, text, level)
            return Scope(level, _with_wrong(snapshot, place, text, level))
        except ExpressionError as error:
            fault = fault or error
    return Scope(at.child, fault=fault)


def _compile(frame: Frame, text: str, level: Level) -> Expression:
    kinds = sorted({kind for site in frame.sites for kind in site.domains})
    return compile_expression(text, frame.metrics, level, domains=kinds)


def _with_wrong(snapshot: Snapshot, place: Place, text: str, level: Level) -> Expression | None:
    if not place.only_wrong:
        return _compile(snapshot.frame, text, level) if text else None
    hot = snapshot.frame.metrics["temp_c"].heat[1]
    wrong = (WRONG_GPU if level is Level.GPU else WRONG_ABOVE).format(hot=hot)
    named = _named(snapshot, level)
    if named:
        wrong = f"{wrong} or id in [{', '.join(named)}]"
    return _compile(snapshot.frame, f"({text}) and ({wrong})" if text else wrong, level)


def _named(snapshot: Snapshot, level: Level) -> list[str]:
    """Return what failing checks name, cut to `level`, as the expression spells it."""
    paths = [path for check in snapshot.checks if check.severity in BAD for path in check.paths]
    cut = {"/".join(path.split("/")[: level.depth]) for path in paths if path.count("/") + 1 >= level.depth}
    return [f'"{path}"' for path in sorted(cut) if '"' not in path and "\\" not in path][:NAMED_LIMIT]
