"""What a voice is to be asked about: the object of an address or a row, with every name that is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.levels import Level
from console.model.ports import Subject

if TYPE_CHECKING:
    from console.model.snapshot import Frame
    from console.model.topology import SiteTopology

MOST_ALIASES = 32
MOST_NODES = 64


def subject_of(frame: Frame, row_id: str) -> Subject | None:
    """Return the node, GPU or job that a row's id stands for, None for anything that no single voice has a record of.

    `row_id` is an address (`muc1/h1/r1/n1/g3`), or `job:SITE/ID` with `@CLUSTER` where a site has several; the path of
    such a subject is that id.
    """
    kind, colon, name = row_id.partition(":")
    if colon and kind == "job":
        return _job(frame, row_id, name)
    site = frame.site(row_id.partition("/")[0])
    found = site.topology.resolve(row_id) if site is not None else None
    if site is None or found is None or found[0] not in (Level.NODE, Level.GPU):
        return None
    topology, (level, row) = site.topology, found
    node = topology.parent(level, row, Level.NODE)
    is_gpu = level is Level.GPU
    return Subject(
        site=site.site,
        path=row_id,
        node=topology.nodes[node],
        aliases=names_of(topology, node),
        gpu=int(topology.gpu_slot[row]) if is_gpu else -1,
        uuid=topology.uuid(row) if is_gpu else "",
    )


def names_of(topology: SiteTopology, node: int) -> tuple[str, ...]:
    """Return every other name of a node: its spellings, its BMC and its serial; 32 at most."""
    machine = (each[node] for each in (topology.bmcs, topology.serials) if each)
    spelled = (name for name, row in topology.aliases.items() if row == node)
    names = dict.fromkeys((*machine, *spelled))
    return tuple(name for name in names if name and name != topology.nodes[node])[:MOST_ALIASES]


def _job(frame: Frame, row_id: str, name: str) -> Subject | None:
    """Return a job by `SITE/ID`, or by its id alone where one site has it."""
    site, slash, told = name.partition("/")
    if not slash:
        sites = [each.site for each in frame.sites if any(job.id == name for job in each.jobs.rows)]
        site, told = (sites[0], name) if len(sites) == 1 else ("", "")
    id, _, cluster = told.partition("@")
    found = frame.site(site)
    if not id or found is None:
        return None
    rows = found.jobs.rows
    row = next((i for i, job in enumerate(rows) if job.id == id and cluster in ("", job.cluster)), -1)
    if row < 0:
        return Subject(site, row_id, job=id)
    nodes = found.jobs.nodes_of(row, found.topology)[:MOST_NODES].tolist()
    return Subject(
        site, row_id, job=id, nodes=tuple(found.topology.nodes[each] for each in nodes), output=rows[row].output
    )
