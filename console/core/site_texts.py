"""The text fields of one site's rows; what depends on the topology or the jobs alone is made once for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.registry import JOB_TEXTS
from console.core.texts import PathNames, TextValues, UuidNames, constant, remembered
from console.model.identity import parse_uuid
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.jobs import Job, Jobs
    from console.model.snapshot import SiteFrame
    from console.model.topology import Domain, SiteTopology

SLOTS = tuple(f"g{slot}" for slot in range(256))


def site_text(frame: SiteFrame, level: Level, name: str) -> TextValues:
    """Return a text field of all rows of a level of a site; all of it missing where the site does not have it."""
    if name == "source":
        return constant(_sources(frame), frame.topology.count(level))
    if name in JOB_TEXTS:
        return _job_text(frame, level, name)
    told = frame.fact_domains.get(name)
    if told is not None and name not in frame.topology.domains:
        return remembered(told, ("text", level), lambda: _domain_text(frame.topology, level, told))
    return remembered(frame.topology, ("text", level, name), lambda: _topology_text(frame.topology, level, name))


def _sources(frame: SiteFrame) -> str | None:
    """Return the names of who told the GPUs' columns, else of who told anything."""
    gpus = frame.topology.gpus
    names = {column.source for column in frame.columns.values() if len(column.values) == gpus}
    return ",".join(sorted(names or {column.source for column in frame.columns.values()})) or None


def _topology_text(topology: SiteTopology, level: Level, name: str) -> TextValues:
    count = topology.count(level)
    if name in topology.domains:
        return _domain_text(topology, level, topology.domains[name])
    if name == "id":
        return path_text(topology, level)
    if name == "parent":
        upper = level.parent
        return (
            constant("", count)
            if upper is Level.FLEET
            else _of_upper(topology, level, path_text(topology, upper), upper)
        )
    if name == "name":
        return _names(topology, level, level)
    if name in ("hall", "rack", "node", "site"):
        return _names(topology, level, Level(name))
    if name == "uuid":
        return _uuids(topology)
    if name == "model":
        return _models(topology, level)
    return _node_facts(
        topology, level, topology.serials if name == "serial" else topology.bmcs if name == "bmc" else ()
    )


def path_text(topology: SiteTopology, level: Level) -> TextValues:
    """Return the addresses of all rows of a level."""
    names = remembered(topology, ("paths", level), lambda: PathNames(topology, level))
    count = topology.count(level)
    return TextValues(names, np.arange(count, dtype=np.int32), count, find=names.find)


def _of_upper(topology: SiteTopology, level: Level, text: TextValues, upper: Level) -> TextValues:
    parents = topology.parents(level, upper)
    return TextValues(text.names, text.codes[parents], len(parents), find=text.find)


def _names(topology: SiteTopology, level: Level, of: Level) -> TextValues:
    if of is Level.SITE:
        return constant(topology.site, topology.count(level))
    if of is Level.GPU:
        return TextValues(SLOTS, topology.gpu_slot, topology.gpus)
    names = {Level.HALL: topology.halls, Level.RACK: topology.racks, Level.NODE: topology.nodes}[of]
    codes = np.arange(len(names), dtype=np.int32) if of is level else topology.parents(level, of)
    return TextValues(names, codes, topology.count(level))


def _uuids(topology: SiteTopology) -> TextValues:
    def find(uuid: str) -> int:
        high, low = (np.array([word], dtype=np.uint64) for word in parse_uuid(uuid))
        return int(topology.uuids.find(high, low)[0])

    known = (topology.uuid_high != 0) | (topology.uuid_low != 0)
    codes = np.where(known, np.arange(topology.gpus, dtype=np.int32), np.int32(-1))
    return TextValues(UuidNames(topology), codes, topology.gpus, find=find)


def _models(topology: SiteTopology, level: Level) -> TextValues:
    codes = np.zeros(topology.gpus, dtype=np.int32) if topology.model_code is None else topology.model_code
    named = np.array([at if name else -1 for at, name in enumerate(topology.models)], dtype=np.int32)[codes]
    text = TextValues(topology.models, named, topology.gpus)
    return text if level is Level.GPU else text.lifted(topology.starts(level, Level.GPU))


def _node_facts(topology: SiteTopology, level: Level, facts: Sequence[str]) -> TextValues:
    if len(facts) != len(topology.nodes):
        return constant(None, topology.count(level))
    codes = np.array([at if fact else -1 for at, fact in enumerate(facts)], dtype=np.int32)
    text = TextValues(facts, codes, len(facts))
    return _of_upper(topology, level, text, Level.NODE) if level is Level.GPU else text


def _domain_text(topology: SiteTopology, level: Level, domain: Domain) -> TextValues:
    """Return the domains of each row: those of its members, or of the node or rows that hold it."""
    codes = np.repeat(np.arange(len(domain.names), dtype=np.int32), np.diff(domain.starts))
    order = np.argsort(domain.members, kind="stable")
    members, codes = domain.members[order], codes[order]
    unit = TextValues(domain.names, codes, topology.count(domain.unit), members)
    if len(members) == unit.count and (members == np.arange(unit.count)).all():
        unit = TextValues(domain.names, codes, unit.count)
    if level is domain.unit:
        return unit
    if level.depth < domain.unit.depth:
        return unit.lifted(topology.starts(level, domain.unit))
    return _spread(unit, topology.starts(domain.unit, level), topology.count(level))


def _spread(unit: TextValues, starts: np.typing.NDArray[np.int32], count: int) -> TextValues:
    """Return the field of finer rows, each with the values of the row that holds it."""
    sizes = np.diff(starts)
    if unit.owners is None:
        return TextValues(unit.names, np.repeat(unit.codes, sizes), count)
    each = sizes[unit.owners]
    codes = np.repeat(unit.codes, each)
    first = np.repeat(starts[:-1][unit.owners], each)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(each) - each, each)
    owners = first + offset
    order = np.argsort(owners, kind="stable")
    return TextValues(unit.names, codes[order], count, owners[order])


def _job_text(frame: SiteFrame, level: Level, name: str) -> TextValues:
    jobs, gpus = frame.jobs, frame.topology.gpus
    if frame.stale or len(jobs.gpu_job) != gpus:
        return constant(None, frame.topology.count(level))
    names = remembered(jobs, name, lambda: _job_names(jobs, name))
    codes = np.where(jobs.gpu_job >= 0, jobs.gpu_job, np.int32(len(names) - 1))
    text = TextValues(names, codes, gpus)
    return text if level is Level.GPU else text.lifted(frame.topology.starts(level, Level.GPU))


def _job_names(jobs: Jobs, name: str) -> tuple[str, ...]:
    """Return one text a job, and at last the empty text of GPUs that are free."""
    return (*(_job_fact(job, name) for job in jobs.rows), "")


def _job_fact(job: Job, name: str) -> str:
    facts = {"job": job.name, "job_id": job.id, "user": job.user, "account": job.account, "partition": job.partition}
    return facts[name]
