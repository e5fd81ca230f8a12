"""Builds a site's topology from its declared nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.arrange import SLOT_LIMIT, Arrangement, arrange
from console.core.naming import host_of, local_name, local_names, natural_sorted
from console.model.errors import ConfigError, ConfigErrors
from console.model.identity import UuidColumns, parse_uuids
from console.model.levels import Level
from console.model.topology import Domain, Geo, SiteTopology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.model.inventory import NodeSpec


def empty_topology(site: str) -> SiteTopology:
    """Return a site of which nothing is known yet; it grows with what its sources tell."""
    return build_topology(site, ())


def build_topology(
    site: str, specs: Sequence[NodeSpec], *, geo: Geo | None = None, version: int = 1, declared: bool = False
) -> SiteTopology:
    """Return the topology of these nodes in natural order; a node without hall or rack stands in one named `-`.

    Raises ConfigErrors, with every fault, for a name or alias that two nodes claim and for too many GPUs in a node.
    """
    aliases = _spellings(site, specs)
    tree = arrange(
        [spec.name for spec in specs],
        [spec.hall for spec in specs],
        [spec.rack for spec in specs],
        [spec.gpus for spec in specs],
    )
    ordered = [specs[i] for i in tree.order]
    rows = tree.rows().tolist()
    high, low = _uuids(ordered, tree)
    models, codes = _models(ordered)
    return SiteTopology(
        site=site,
        version=version,
        halls=tree.halls,
        racks=tree.racks,
        nodes=tree.nodes,
        hall_racks=tree.hall_racks,
        rack_nodes=tree.rack_nodes,
        node_gpus=tree.node_gpus,
        gpu_slot=tree.gpu_slot,
        uuid_high=high,
        uuid_low=low,
        models=models,
        model_code=np.repeat(codes, np.diff(tree.node_gpus)),
        domains=_domains(ordered),
        aliases={name: rows[i] for name, i in aliases.items()},
        serials=tuple(spec.serial for spec in ordered) if any(spec.serial for spec in specs) else (),
        bmcs=tuple(spec.bmc for spec in ordered) if any(spec.bmc for spec in specs) else (),
        geo=geo or Geo(),
        declared=declared,
    )


def _spellings(site: str, specs: Sequence[NodeSpec]) -> dict[str, int]:
    """Return the input position of each spelling that is not a node's name in the topology."""
    sound = _sound_spellings(specs)
    return _careful_spellings(site, specs) if sound is None else sound


def _sound_spellings(specs: Sequence[NodeSpec]) -> dict[str, int] | None:
    """Return the same where no spelling is said twice, in a quarter of the time; None where one is."""
    names = local_names([spec.name for spec in specs])
    found = {alias: i for i, spec in enumerate(specs) for alias in spec.aliases}
    said = sum(len(spec.aliases) for spec in specs)
    full = [spec.name if spec.name != name else "" for spec, name in zip(specs, names, strict=True)]
    for texts in (full, [spec.serial for spec in specs], [spec.bmc for spec in specs]):
        if any(texts):
            found.update(zip(texts, range(len(specs)), strict=True))
            said += len(texts) - texts.count("")
    found.pop("", None)
    sizes = [spec.gpus for spec in specs]
    sound = not sizes or 0 <= min(sizes) <= max(sizes) <= SLOT_LIMIT
    return found if sound and len({*names, *found}) == len(names) + said else None


def _careful_spellings(site: str, specs: Sequence[NodeSpec]) -> dict[str, int]:
    owners: dict[str, int] = {}
    faults: list[str] = []
    for i, spec in enumerate(specs):
        if not 0 <= spec.gpus <= SLOT_LIMIT:
            faults.append(f"node {spec.name!r} has {spec.gpus} GPUs; 0 to {SLOT_LIMIT} can be")
        other = owners.setdefault(local_name(spec.name), i)
        if other != i:
            faults.append(f"node {spec.name!r} is declared twice ({_where(specs[other])} and {_where(spec)})")
    for i, spec in enumerate(specs):
        for alias in (spec.name, *spec.aliases):
            other = owners.setdefault(alias, i)
            if other != i:
                faults.append(f"the name {alias!r} is claimed by two nodes, {specs[other].name} and {spec.name}")
    if faults:
        raise ConfigErrors([ConfigError(site, 0, "inventory", fault) for fault in dict.fromkeys(faults)])
    return _with_machine_names(owners, specs)


def _with_machine_names(owners: dict[str, int], specs: Sequence[NodeSpec]) -> dict[str, int]:
    """Add serials and BMC addresses, as far as exactly one node has them."""
    machine: dict[str, int] = {}
    for i, spec in enumerate(specs):
        for name in {spec.serial, spec.bmc, host_of(spec.bmc)} - {""}:
            machine[name] = i if machine.get(name, i) == i else -1
    names = {local_name(spec.name) for spec in specs}
    known = {**{name: i for name, i in machine.items() if i >= 0}, **owners}
    return {name: i for name, i in known.items() if name not in names}


def _where(spec: NodeSpec) -> str:
    return f"hall {local_name(spec.hall)}, rack {local_name(spec.rack)}"


def _uuids(ordered: Sequence[NodeSpec], tree: Arrangement) -> UuidColumns:
    gpus = len(tree.gpu_slot)
    if not any(spec.gpu_uuids for spec in ordered):
        return np.zeros(gpus, dtype=np.uint64), np.zeros(gpus, dtype=np.uint64)
    texts = [""] * gpus
    for start, spec in zip(tree.node_gpus.tolist(), ordered, strict=False):
        known = spec.gpu_uuids[: spec.gpus]
        texts[start : start + len(known)] = known
    return parse_uuids(texts)


def _models(ordered: Sequence[NodeSpec]) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Return the model names and uint8[nodes]; what is beyond 255 models is not told apart."""
    models = ("", *natural_sorted({spec.model for spec in ordered} - {""}))[:256]
    code = {model: i for i, model in enumerate(models)}
    return models, np.array([code.get(spec.model, 0) for spec in ordered], dtype=np.uint8)


def _domains(ordered: Sequence[NodeSpec]) -> Mapping[str, Domain]:
    found: dict[str, dict[str, list[int]]] = {}
    for row, spec in enumerate(ordered):
        for kind, names in spec.domains.items():
            groups = found.setdefault(kind, {})
            for name in dict.fromkeys(names) if len(names) > 1 else names:
                groups.setdefault(name, []).append(row)
    return {kind: _domain(kind, found[kind]) for kind in natural_sorted(found)}


def _domain(kind: str, groups: Mapping[str, list[int]]) -> Domain:
    names = natural_sorted(groups)
    sizes = [len(groups[name]) for name in names]
    members = [row for name in names for row in groups[name]]
    return Domain(
        kind,
        tuple(names),
        Level.NODE,
        np.array(members, dtype=np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
    )
