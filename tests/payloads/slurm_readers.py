"""Readers of Slurm: turns of slurmrestd, what commands print; each returns how much it read."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import httpx

from console.config.values import SourceConfig
from console.model.jobs import JobState
from console.model.reading import JobsPart, NodeReportsPart, ReservationsPart
from console.sources.slurm.bodies import Who
from console.sources.slurm.diag import read_diag
from console.sources.slurm.gres import gpus
from console.sources.slurm.nodelist import names
from console.sources.slurm.records import minutes, states
from console.sources.slurm.shown import Cluster, readers_of
from console.sources.slurm.source import SlurmSource

if TYPE_CHECKING:
    from console.model.reading import Part
    from tests.payloads.index import Entry

LISTS = ("nodes", "jobs", "reservations")


def _slurm(entry: Entry, *lists: str) -> list[Part]:
    """Read a turn of a slurmrestd that answers some lists with a file, and the status that it was captured with."""
    status = 200
    codes = entry.path.with_name("status.json")
    if codes.is_file():
        status = json.loads(codes.read_bytes()).get(entry.path.stem, {}).get("status", 200)
    kind = "application/json" if entry.path.suffix == ".json" else "text/plain"

    def respond(request: httpx.Request) -> httpx.Response:
        what = request.url.path.rpartition("/")[2]
        if request.url.path.startswith("/openapi"):
            return httpx.Response(200, json={"paths": {f"/slurm/v0.0.41/{each}/": {} for each in ("nodes", "jobs")}})
        if what in lists:
            return httpx.Response(status, content=entry.content, headers={"content-type": kind})
        return httpx.Response(404) if what == "diag" else httpx.Response(200, json={what: [], "errors": []})

    return asyncio.run(_turn(respond))


async def _turn(respond: Any) -> list[Part]:
    config = SourceConfig("slurm", "slurm", "http://slurm.example")
    source = SlurmSource("lab", config, transport=httpx.MockTransport(respond))
    try:
        reading = await source.read()
        parts = list(reading.decode())
        failed = [text for text in reading.warnings if "lab/slurm" in text]
        assert not failed
        assert "not known" not in reading.notes.get("reservations", "")
        return parts
    finally:
        await source.aclose()


def jobs(entry: Entry) -> int:
    expected = json.loads(entry.content)["jobs"]
    (part,) = [each for each in _slurm(entry, "jobs") if isinstance(each, JobsPart)]
    assert len(part.jobs) == len(expected)
    for job, nodes, masks, row in zip(part.jobs, part.node_lists, part.gpu_masks, expected, strict=True):
        words = row["job_state"]
        assert job.state.value in ([words] if isinstance(words, str) else words)
        assert (job.name, job.user, job.partition) == (row["name"], row["user_name"], row["partition"])
        assert len(masks) == len(nodes)
        if "gpus" in entry.name:
            assert job.gpus > 0
            held = sum(mask.bit_count() for mask in masks)
            assert held == (job.gpus if job.state is JobState.RUNNING else 0)
    return len(part.jobs)


def nodes(entry: Entry) -> int:
    expected = json.loads(entry.content)["nodes"]
    (part,) = [each for each in _slurm(entry, "nodes") if isinstance(each, NodeReportsPart)]
    assert list(part.keys.names) == [row["name"] for row in expected]
    for place, row in enumerate(expected):
        state = part.states[part.codes[place]]
        words = [row["state"], *row["state_flags"]] if isinstance(row["state"], str) else row["state"]
        assert {state.state, *state.flags} == {word.upper() for word in words}
        assert bool(part.gpus[place]) == ("gpu" in row["gres"])
    return len(part.keys)


def reservations(entry: Entry) -> int:
    expected = json.loads(entry.content)["reservations"]
    (part,) = [each for each in _slurm(entry, "reservations") if isinstance(each, ReservationsPart)]
    assert [each.name for each in part.reservations] == [row["name"] for row in expected]
    assert [len(each.nodes) for each in part.reservations] == [row["node_count"] for row in expected]
    return len(part.reservations)


def diag(entry: Entry) -> int:
    diag = read_diag(entry.content, "root")
    assert diag.at == json.loads(entry.content)["statistics"]["req_time"]
    return len(diag.notes)


def refused(entry: Entry) -> list[Part]:
    """Give every list the same answer."""
    return _slurm(entry, *LISTS)


def scontrol(entry: Entry) -> list[object]:
    """Take what commands print for a list of nodes, as the reader of scontrol does."""
    steps = readers_of(Cluster()).nodes.read(entry.content, Who("lab", "slurm"))
    while True:
        next(steps)


def partitions(entry: Entry) -> int:
    """Expand the host lists of partitions, and count their GPUs, as the file itself does."""
    rows = entry.text.splitlines()
    for row in rows:
        fields = dict(each.partition("=")[::2] for each in row.split(" "))
        there = names(fields["Nodes"])
        assert len(there) == int(fields["TotalNodes"])
        assert all(name.startswith("node") and name[4:].isdigit() for name in there)
        if "TRES" in fields:
            assert gpus(fields["TRES"])[0] == int(fields["TRES"].rpartition("gres/gpu=")[2])
    return len(rows)


def sinfo(entry: Entry) -> int:
    """Read states and GRES in the rows of sinfo, whatever columns a site has it print."""
    found = 0
    for row in entry.text.splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        for there, used in zip(cells, [*cells[1:], ""], strict=True):
            if there.startswith("gpu:") and (total := gpus(there)[0]):
                found += total
                assert there.partition("(")[0].endswith(f":{total}")
            if used.startswith("gpu:") and "IDX:" in used:
                count, mask = gpus(used)
                assert mask.bit_count() == count
        quiet = [cell for cell in cells if re.fullmatch(r"[a-z]+\*", cell)]
        assert all(states(cell) == f"{cell[:-1]}+NOT_RESPONDING" for cell in quiet)
    return found


def squeue(entry: Entry) -> int:
    """Read host lists, limits and GPUs in the rows of squeue, whatever columns a site has it print."""
    found = 0
    for row in entry.text.splitlines():
        cells = [cell.strip() for cell in row.split("|#" if "|#" in row else "|")]
        asked = [gpus(cell)[0] for cell in cells if "gres/gpu" in cell]
        assert all(asked)
        found += max(asked, default=0)
        held = next((cell for cell in cells if "RUNNING" in cells and re.fullmatch(r"node\[[\d,-]+\]", cell)), "")
        assert not held or str(len(names(held))) in cells
        for cell in cells:
            if re.fullmatch(r"\d+-\d\d:\d\d:\d\d", cell):
                assert minutes(cell) >= int(cell.partition("-")[0]) * 1440  # type: ignore[operator]  # a time
    return found
