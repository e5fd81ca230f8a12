"""Folds signs that tell of the same thing into the worst and most specific of them, site by site.

Two signs tell of one thing when the objects that they name are mostly the same, or when they are of one family (GPUs
that fall silent are told of by a check, by detectors and by the schedulers' disagreement with telemetry) and the
objects of one of them are not all listed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.signs.draft import PATHS_SHOWN, nodes_of
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.core.signs.draft import Draft
    from console.model.incidents import Sign

SILENCE = "silence"
GAPS = "gaps"
FAMILIES = {
    "check:silent": SILENCE,
    "check:blind": SILENCE,
    "fault:gpu-off-bus": SILENCE,
    "disagreement:gpus-silent": SILENCE,
    "disagreement:usable-silent": SILENCE,
    "fault:scrape-gap": GAPS,
    "fault:scrape-lag": GAPS,
    "fault:samples-lost": GAPS,
}
# Of two sets of objects so much must be in both, else each is a thing of its own.
LEAST_SHARE = 0.5
SPECIFIC = ("fault", "alert", "check", "disagreement", "site")
MOST_FOLDS = 50


@dataclass(frozen=True, eq=False)
class _Extent:
    """What a draft is compared by: its family, and the nodes and GPUs that it names."""

    draft: Draft
    family: str
    nodes: frozenset[str]
    gpus: frozenset[str]


def folded(drafts: Sequence[Draft]) -> list[Sign]:
    """Return one sign for each thing; those that were folded into it are named in its `folds`."""
    by_site: dict[str, list[Draft]] = {}
    for draft in drafts:
        by_site.setdefault(draft.sign.site, []).append(draft)
    return [sign for mine in by_site.values() for sign in _at_site(mine)]


def _at_site(drafts: list[Draft]) -> Iterator[Sign]:
    kept: list[tuple[_Extent, list[Draft]]] = []
    where: dict[str, list[int]] = {}
    for draft in sorted(drafts, key=_keeper_first):
        extent = _extent(draft)
        # Only those of its family, or at one of its nodes, can be the same thing.
        near = sorted({place for name in (extent.family, *extent.nodes) for place in where.get(name, ())})
        home = next((kept[place][1] for place in near if _takes(*kept[place], extent)), None)
        if home is not None:
            home.append(draft)
            continue
        for name in (extent.family, *extent.nodes):
            where.setdefault(name, []).append(len(kept))
        kept.append((extent, []))
    yield from (_with(keeper.draft, folds) for keeper, folds in kept)


def _takes(keeper: _Extent, folds: Sequence[Draft], other: _Extent) -> bool:
    return len(folds) < MOST_FOLDS and _same_thing(keeper, other)


def _keeper_first(draft: Draft) -> tuple[int, int, int, str]:
    """Return the key that sorts the worst first, then those that name the finest objects, then who knows most."""
    sign = draft.sign
    kind = sign.key.partition(":")[0]
    said = SPECIFIC.index(kind) if kind in SPECIFIC else len(SPECIFIC)
    return -sign.severity.rank, -sign.level.depth, said, sign.key


def _extent(draft: Draft) -> _Extent:
    sign = draft.sign
    gpus = draft.objects if sign.level is Level.GPU else ()
    return _Extent(draft, FAMILIES.get(sign.key, sign.key), nodes_of(draft.objects), frozenset(gpus))


def _same_thing(keeper: _Extent, other: _Extent) -> bool:
    listed = keeper.draft.all and other.draft.all and keeper.nodes and other.nodes
    if keeper.family == other.family:
        return not listed or bool(keeper.nodes & other.nodes)
    if not listed:
        return False
    both_gpus = keeper.gpus and other.gpus
    mine, theirs = (keeper.gpus, other.gpus) if both_gpus else (keeper.nodes, other.nodes)
    return len(mine & theirs) >= LEAST_SHARE * len(mine | theirs)


def _with(keeper: Draft, folds: Sequence[Draft]) -> Sign:
    """Return the sign that stands for all: it began with the first of them, and hits the jobs of each."""
    if not folds:
        return keeper.sign
    signs = [keeper.sign, *(draft.sign for draft in folds)]
    return replace(
        keeper.sign,
        since=min((sign.since for sign in signs if sign.since), default=0.0),
        jobs=tuple(dict.fromkeys(job for sign in signs for job in sign.jobs))[:PATHS_SHOWN],
        folds=tuple(dict.fromkeys(draft.sign.key for draft in folds)),
    )
