"""Nodes whose driver, VBIOS or firmware differs from that of nearly all nodes of their like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.facts import combined
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.model.scheduling import NodeFacts
    from console.model.snapshot import SiteFrame

    Truths = NDArray[np.bool_]
    Codes = NDArray[np.int64]

# A text that at most this part of the nodes of one kind has, while more than half of them have the same other one.
MOST_SHARE = 0.05
LEAST_NODES = 4
FACTS = ("driver", "vbios", "bmc_firmware", "nic_firmware", "firmware", "os", "scheduler_version")


def minorities(site: SiteFrame, hearing: Hearing) -> Iterator[tuple[str, Truths, Truths]]:
    """Yield, for each fact, which nodes are in a minority and which cannot be judged.

    Nodes are compared with those of the same hardware model, and of the same group where the site names groups.
    """
    like = None
    nodes = len(site.topology.nodes)
    for fact in FACTS:
        told = facts_heard(site, fact, hearing)
        if told:
            like = likes(site) if like is None else like
            facts = combined(told, nodes)
            yield fact, few(facts.codes.astype(np.int64), like, len(facts.texts)), facts.codes < 0


def facts_heard(site: SiteFrame, fact: str, hearing: Hearing) -> list[NodeFacts]:
    """Return what the voices that are heard say of one thing."""
    return [
        each
        for (source, name), each in site.facts.items()
        if name == fact and not hearing.is_quiet(site.site, source) and len(each.codes) == len(site.topology.nodes)
    ]


def few(codes: Codes, like: Codes, texts: int) -> Truths:
    """Return bool[nodes]: whose text (`codes`, -1 not told) is rare among nodes of the same `like`."""
    told = codes >= 0
    width = max(texts, 1)
    kinds = int(like.max(initial=0)) + 1
    pair = like * width + np.maximum(codes, 0)
    counts = np.bincount(pair[told], minlength=kinds * width).reshape(kinds, width)
    total = counts.sum(axis=1, keepdims=True)
    most = np.maximum(1, total * MOST_SHARE)
    rare = (counts > 0) & (counts <= most) & (total >= LEAST_NODES) & (2 * counts.max(axis=1, keepdims=True) > total)
    found: Truths = told & rare.reshape(-1)[pair]
    return found


def usual(codes: Codes, like: Codes, row: int) -> int:
    """Return the code that most nodes like one row have, -1 where none is told."""
    mine = codes[(like == like[row]) & (codes >= 0)]
    return int(np.bincount(mine).argmax()) if len(mine) else -1


def likes(site: SiteFrame) -> Codes:
    """Return int64[nodes]: nodes of one hardware model and one group have the same number."""
    topology = site.topology
    nodes = len(topology.nodes)
    like = np.zeros(nodes, dtype=np.int64)
    if topology.model_code is not None and topology.gpus:
        first = np.minimum(topology.node_gpus[:-1], topology.gpus - 1)
        like += np.where(np.diff(topology.node_gpus) > 0, topology.model_code[first].astype(np.int64) + 1, 0)
    group = site.domains.get("group")
    if group is not None and group.unit is Level.NODE:
        of = np.zeros(nodes, dtype=np.int64)
        of[group.members] = np.repeat(np.arange(len(group.names)), np.diff(group.starts)) + 1
        like = like * (len(group.names) + 1) + of
    return like
