"""Tells whether two topologies of a site say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from console.model.topology import Domain, SiteTopology

_NAMES = ("site", "halls", "racks", "nodes", "models", "serials", "bmcs", "geo", "declared")
_ARRAYS = ("hall_racks", "rack_nodes", "node_gpus", "gpu_slot", "uuid_high", "uuid_low")


def same_topology(one: SiteTopology, other: SiteTopology) -> bool:
    """Whether two topologies differ in nothing but their version."""
    if one is other:
        return True
    return (
        all(getattr(one, name) == getattr(other, name) for name in _NAMES)
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in _ARRAYS)
        and _same_models(one, other)
        and dict(one.aliases) == dict(other.aliases)
        and one.domains.keys() == other.domains.keys()
        and all(_same_domain(domain, other.domains[kind]) for kind, domain in one.domains.items())
    )


def _same_models(one: SiteTopology, other: SiteTopology) -> bool:
    if one.model_code is None or other.model_code is None:
        return one.model_code is other.model_code
    return np.array_equal(one.model_code, other.model_code)


def _same_domain(one: Domain, other: Domain) -> bool:
    return (
        one.names == other.names
        and one.unit is other.unit
        and np.array_equal(one.members, other.members)
        and np.array_equal(one.starts, other.starts)
    )
