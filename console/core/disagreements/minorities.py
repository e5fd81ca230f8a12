"""Nodes whose driver, VBIOS or firmware differs from that of nearly all nodes of their like."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from console.core.texts import remembered
from console.model.levels import Level
from console.model.scheduling import NodeFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.model.snapshot import SiteFrame
    from console.model.topology import Domain

    Truths = NDArray[np.bool_]
    Codes = NDArray[np.int64]

# A text that at most this part of the nodes of one kind has, while more than half of them have the same other one.
MOST_SHARE = 0.05
LEAST_NODES = 4
FACTS = (
    "driver", "vbios", "bmc_firmware", "nic_firmware", "bios", "firmware", "os", "kernel", "kubelet",
    "container_runtime", "scheduler_version",
)  # fmt: skip


def minorities(site: SiteFrame, hearing: Hearing) -> Iterator[tuple[str, Truths, Truths]]:
    """Yield, for each fact, which nodes are in a minority and which cannot be judged.

    Nodes are compared with those of the same hardware model, and of the same group where the site names groups; what
    one voice says with what that voice says of the others, for two may spell one version in two ways.
    """
    for fact in FACTS:
        told = facts_heard(site, fact, hearing)
        if told:
            rare = [rare_of(site, each) for each in told]
            unknown = [each.codes < 0 for each in told]
            yield fact, np.logical_or.reduce(rare), np.logical_and.reduce(unknown)


def minority_of(site: SiteFrame, fact: str, row: int, hearing: Hearing) -> tuple[str, str]:
    """Return what a node in a minority has, and what most of its like have, as one voice spells both."""
    like = likes_of(site)
    for each in facts_heard(site, fact, hearing):
        if rare_of(site, each)[row]:
            make = partial(usual, each.codes, like, row)
            often = remembered(each, ("usual", id(like), int(like[row])), make)
            return each.texts[int(each.codes[row])], each.texts[often]
    return "", ""


def rare_of(site: SiteFrame, facts: NodeFacts) -> Truths:
    """Return bool[nodes]: whose text one voice tells of few nodes; made once for what it says."""
    like = likes_of(site)
    return remembered(facts, ("rare", id(like)), lambda: few(facts.codes.astype(np.int64), like, len(facts.texts)))


def facts_heard(site: SiteFrame, fact: str, hearing: Hearing) -> list[NodeFacts]:
    """Return what the voices that are heard say of one thing; where none does, the inventory's domains of that name."""
    heard = [
        each
        for (source, name), each in site.facts.items()
        if name == fact and not hearing.is_quiet(site.site, source) and len(each.codes) == len(site.topology.nodes)
    ]
    declared = site.topology.domains.get(fact)
    told = any(name == fact for _, name in site.facts)
    if told or declared is None or declared.unit is not Level.NODE:
        return heard
    return [remembered(declared, "as facts", lambda: _as_facts(declared, len(site.topology.nodes)))]


def _as_facts(domain: Domain, nodes: int) -> NodeFacts:
    """Return domains of nodes as facts; a node that is in several has the last one."""
    codes = np.full(nodes, -1, dtype=np.int32)
    codes[domain.members] = np.repeat(np.arange(len(domain.names), dtype=np.int32), np.diff(domain.starts))
    return NodeFacts(domain.kind, domain.names, codes, 0.0, "inventory")


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


def usual(codes: NDArray[np.int32], like: Codes, row: int) -> int:
    """Return the code that most nodes like one row have, -1 where none is told."""
    mine = codes[(like == like[row]) & (codes >= 0)]
    return int(np.bincount(mine).argmax()) if len(mine) else -1


def likes_of(site: SiteFrame) -> Codes:
    """Return int64[nodes]: nodes of one hardware model and one group have the same number."""
    group = site.domains.get("group")
    # A group of the topology lives as long as that; one that a fact makes, as long as what was told.
    return remembered(group or site.topology, ("likes", site.topology.version), lambda: likes(site))


def likes(site: SiteFrame) -> Codes:
    """Return what `likes_of` remembers."""
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
