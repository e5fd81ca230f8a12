"""Builds a topology from the native site API's `topology` body; every claim in it is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.levels import Level
from console.model.topology import Domain, Geo, SiteTopology
from console.sources.site_bodies import Faults, WireAliases, WireBlock, WireDomain, WireTopology

if TYPE_CHECKING:
    import msgspec
    from numpy.typing import NDArray

    from console.model.topology import Offsets

MOST_DOMAIN_KINDS = 64


def read_topology(faults: Faults, site: str, data: bytes, version_after: int) -> tuple[str, SiteTopology]:
    """Return the body's tag and its topology, under our own name of the site; raises BadPayload.

    Its version is the server's, or one more than `version_after` where that is higher: a server that was set up
    anew may count from 1 again.
    """
    wire = faults.decode(data, WireTopology, "the topology")
    reader = _Reader(faults, wire)
    nodes = faults.names(faults.decode(wire.nodes, list[str], "the topology's nodes"), "the topology's nodes")
    node_gpus = reader.offsets(wire.node_gpus, "node_gpus", len(nodes), None)
    gpus = int(node_gpus[-1])
    high, low = reader.uuids(gpus)
    return wire.topology, SiteTopology(
        site=site,
        version=max(wire.version, version_after + 1),
        halls=faults.names(wire.halls, "the topology's halls"),
        racks=faults.names(wire.racks, "the topology's racks", unique=False),
        nodes=nodes,
        hall_racks=reader.offsets(wire.hall_racks, "hall_racks", len(wire.halls), len(wire.racks)),
        rack_nodes=reader.offsets(wire.rack_nodes, "rack_nodes", len(wire.racks), len(nodes)),
        node_gpus=node_gpus,
        gpu_slot=reader.sized(wire.gpu_slot, "uint8", "gpu_slot", gpus),
        uuid_high=high,
        uuid_low=low,
        models=faults.names(wire.models, "the topology's models"),
        model_code=reader.model_code(gpus),
        domains=reader.domains(len(nodes), gpus),
        aliases=reader.aliases(len(nodes)),
        serials=reader.per_node(wire.serials, "serials", len(nodes)),
        bmcs=reader.per_node(wire.bmcs, "bmcs", len(nodes)),
        geo=Geo(wire.geo.country, wire.geo.latitude, wire.geo.longitude, wire.geo.timezone),
        declared=wire.declared,
    )


class _Reader:
    """Reads the members of one body."""

    def __init__(self, faults: Faults, wire: WireTopology) -> None:
        self._faults = faults
        self._wire = wire

    def offsets(self, block: WireBlock, what: str, rows: int, below: int | None) -> Offsets:
        """Start offsets of `rows` rows: from 0, never falling, up to `below` where that is known."""
        offsets: Offsets = self.sized(block, "int32-le", what, rows + 1)
        falling = bool((np.diff(offsets) < 0).any())
        if offsets[0] != 0 or falling or (below is not None and offsets[-1] != below):
            end = "" if below is None else f" to {below}"
            raise self._faults.bad(f"the topology's {what} are not offsets from 0{end}")
        return offsets

    def sized(self, block: WireBlock, encoding: str, what: str, length: int) -> NDArray[Any]:
        """A block of a known length."""
        array = self._faults.block(block, encoding, f"the topology's {what}")
        if len(array) != length:
            raise self._faults.bad(f"the topology's {what} has {len(array)} values instead of {length}")
        return array

    def uuids(self, gpus: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """16 bytes a GPU, high word first."""
        data = self._wire.uuids
        if data.nbytes != 16 * gpus:
            raise self._faults.bad(
                f"the topology's uuids are {data.nbytes} bytes instead of 16 for each of {gpus} GPUs"
            )
        words = np.frombuffer(data, dtype=">u8").reshape(gpus, 2)
        return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)

    def model_code(self, gpus: int) -> NDArray[np.uint8] | None:
        """Which model each GPU is."""
        if self._wire.model_code is None:
            return None
        codes: NDArray[np.uint8] = self.sized(self._wire.model_code, "uint8", "model_code", gpus)
        if len(codes) and int(codes.max()) >= len(self._wire.models):
            raise self._faults.bad("the topology's model_code points beyond its models")
        return codes

    def domains(self, nodes: int, gpus: int) -> dict[str, Domain]:
        """Every kind of domain."""
        kinds = self._faults.names(list(self._wire.domains), "the topology's domains")
        if len(kinds) > MOST_DOMAIN_KINDS:
            raise self._faults.bad(f"the topology has {len(kinds)} kinds of domains, more than {MOST_DOMAIN_KINDS}")
        return {kind: self._domain(kind, self._wire.domains[kind], nodes, gpus) for kind in kinds}

    def _domain(self, kind: str, raw: msgspec.Raw, nodes: int, gpus: int) -> Domain:
        what = f"domains.{kind}"
        wire = self._faults.decode(raw, WireDomain, f"the topology's {what}")
        if wire.unit not in (Level.NODE, Level.GPU):
            raise self._faults.bad(f"the topology's {what} is of {wire.unit[:40]!r} instead of node or gpu")
        members = self._faults.block(wire.members, "int32-le", f"the topology's {what}.members")
        rows = nodes if wire.unit == Level.NODE else gpus
        if len(members) and (int(members.min()) < 0 or int(members.max()) >= rows):
            raise self._faults.bad(f"the topology's {what} has members beyond its {rows} {wire.unit}s")
        names = self._faults.names(wire.names, f"the topology's {what}")
        starts = self.offsets(wire.starts, f"{what}.starts", len(names), len(members))
        return Domain(kind, names, Level(wire.unit), members, starts)

    def aliases(self, nodes: int) -> dict[str, int]:
        """Other spellings of nodes."""
        raw, what = self._wire.aliases, "the topology's aliases"
        if not memoryview(raw):
            return {}
        wire = self._faults.decode(raw, WireAliases, what)
        rows = self.sized(wire.rows, "int32-le", "aliases.rows", len(wire.names))
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= nodes):
            raise self._faults.bad(f"{what} point beyond its {nodes} nodes")
        self._faults.names(wire.names, what, unique=False)
        return dict(zip(wire.names, rows.tolist(), strict=True))

    def per_node(self, raw: msgspec.Raw, what: str, nodes: int) -> tuple[str, ...]:
        """One text a node, or none at all."""
        texts = self._faults.decode(raw, list[str], f"the topology's {what}") if memoryview(raw) else []
        if len(texts) not in (0, nodes):
            raise self._faults.bad(f"the topology's {what} are {len(texts)} instead of {nodes}")
        return self._faults.names(texts, f"the topology's {what}", unique=False)
