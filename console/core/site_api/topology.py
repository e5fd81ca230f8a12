"""The topology of a site as the native site API tells it, and the tag that says which one it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.site_api.packing import MediaType, binary, block
from console.model.levels import SITE_LEVELS, Level

if TYPE_CHECKING:
    from console.model.topology import Domain, SiteTopology

    Body = dict[str, Any]


def topology_tag(topology: SiteTopology) -> str:
    """Return a short hash of all that a topology says: two servers' equal version numbers may mean different sites."""
    digest = hashlib.blake2b(digest_size=12)
    for names in (topology.halls, topology.racks, topology.nodes, topology.models, topology.serials, topology.bmcs):
        digest.update("\0".join(names).encode("utf-8", "surrogatepass") + b"\1")
    arrays = [topology.hall_racks, topology.rack_nodes, topology.node_gpus, topology.gpu_slot]
    arrays += [topology.uuid_high, topology.uuid_low]
    arrays += [] if topology.model_code is None else [topology.model_code]
    for kind, domain in sorted(topology.domains.items()):
        digest.update("\0".join((kind, *domain.names)).encode("utf-8", "surrogatepass"))
        arrays += [domain.members, domain.starts]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes() + b"\1")
    digest.update(repr((topology.geo, topology.declared, topology.version, len(topology.aliases))).encode())
    return digest.hexdigest()


def head(topology: SiteTopology, tag: str, at: float) -> Body:
    """Return what every body begins with: the site, its topology's version and tag, and when this was so."""
    return {"site": topology.site, "version": topology.version, "topology": tag, "at": at}


def topology_body(topology: SiteTopology, tag: str, at: float, media: MediaType) -> Body:
    """Return a site's topology as columns."""
    codes = topology.model_code
    return {
        **head(topology, tag, at),
        "halls": list(topology.halls),
        "racks": list(topology.racks),
        "nodes": list(topology.nodes),
        "hall_racks": block(topology.hall_racks.astype(np.int32), media),
        "rack_nodes": block(topology.rack_nodes.astype(np.int32), media),
        "node_gpus": block(topology.node_gpus.astype(np.int32), media),
        "gpu_slot": block(topology.gpu_slot.astype(np.uint8), media),
        "uuids": _uuids(topology, media),
        "models": list(topology.models),
        "model_code": None if codes is None else block(codes.astype(np.uint8), media),
        "domains": {kind: _domain(domain, media) for kind, domain in topology.domains.items()},
        "aliases": _aliases(topology, media),
        "serials": list(topology.serials),
        "bmcs": list(topology.bmcs),
        "geo": {
            "country": topology.geo.country,
            "latitude": topology.geo.latitude,
            "longitude": topology.geo.longitude,
            "timezone": topology.geo.timezone,
        },
        "declared": topology.declared,
    }


def row_names(topology: SiteTopology, level: str) -> list[str]:
    """Return the addresses below the site (`h1/r003`) or domain names of the rows of a level or domain kind."""
    if level not in SITE_LEVELS:
        domain = topology.domains.get(level)
        return list(domain.names) if domain else []
    where = Level(level)
    paths = (topology.path(where, row) for row in range(topology.count(where)))
    return [path.removeprefix(f"{topology.site}/") for path in paths]


def _uuids(topology: SiteTopology, media: MediaType) -> bytes | str:
    """16 bytes a GPU, high word first; 32 hexadecimal digits a GPU in JSON; zeros where a UUID is not known."""
    words = np.empty((topology.gpus, 2), dtype=">u8")
    words[:, 0], words[:, 1] = topology.uuid_high, topology.uuid_low
    data = words.tobytes()
    return binary(data, media) if media is MediaType.MSGPACK else data.hex()


def _aliases(topology: SiteTopology, media: MediaType) -> Body:
    """Other spellings of nodes, and the node of each: columns, for a large site has some hundred thousand."""
    aliases = dict(topology.aliases)
    rows = np.fromiter(aliases.values(), dtype=np.int32, count=len(aliases))
    return {"names": list(aliases), "rows": block(rows, media)}


def _domain(domain: Domain, media: MediaType) -> Body:
    return {
        "unit": str(domain.unit),
        "names": list(domain.names),
        "members": block(domain.members.astype(np.int32), media),
        "starts": block(domain.starts.astype(np.int32), media),
    }
