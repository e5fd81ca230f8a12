"""Captured answers of Slurm 21.08 to 25.05, read where they lie beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console.model.errors import BadPayload
from console.model.jobs import JobState
from console.sources.slurm.bodies import JOBS, NODES, RESERVATIONS, Who, texts
from console.sources.slurm.diag import read_diag
from console.sources.slurm.jobs import JobBook
from console.sources.slurm.nodes import NodeBook
from console.sources.slurm.reservations import reservation

FOLDER = Path(__file__).parents[4] / "shared" / "payloads" / "slurm"
WHO = Who("muc1", "slurm")
pytestmark = pytest.mark.payload


def cases(chosen: Any = lambda _: True) -> list[Any]:
    found = [path for path in sorted(FOLDER.glob("*/**/*")) if path.is_file() and chosen(path)]
    if found:
        return [pytest.param(path, id=str(path.relative_to(FOLDER))) for path in found]
    skip = pytest.mark.skip(reason="the captured payloads are not beside the project")
    return [pytest.param(None, marks=skip, id="none")]


def rows(path: Path, key: str) -> list[Any] | None:
    """Return the rows that the file has as a list of slurmctld's, None if it is none."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return None
    told = found.get(key) if isinstance(found, dict) else None
    spelled = "job_state" if key == "jobs" else "name"
    return told if isinstance(told, list) and all(spelled in row for row in told) else None


def drained(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def plain(value: Any) -> float:
    """The rules of FORMATS in a few lines of their own: 0 for unset."""
    if isinstance(value, dict):
        return value["number"] if value["set"] and not value["infinite"] else 0
    return value if value is not None and 0 <= value < 4294967294 else 0


@pytest.mark.parametrize("path", cases(lambda path: rows(path, "jobs") is not None))
def test_every_list_of_jobs_is_read_in_full(path: Path) -> None:
    expected = rows(path, "jobs")
    assert expected is not None
    answer = drained(JOBS.read(path.read_bytes(), WHO))
    book = JobBook("", {})
    book.add(answer.rows)
    told = book.part(0.0)
    assert not book.strange
    assert len(told.jobs) == len(expected)
    for job, nodes, masks, row in zip(told.jobs, told.node_lists, told.gpu_masks, expected, strict=True):
        states = [row["job_state"]] if isinstance(row["job_state"], str) else row["job_state"]
        assert job.state.value in states
        assert (job.name, job.user, job.partition) == (row["name"], row["user_name"], row["partition"])
        assert job.submit_at == plain(row["submit_time"])
        assert job.time_limit_s == plain(row["time_limit"]) * 60
        assert job.nodes == (plain(row["node_count"]) if not nodes else len(nodes))
        assert len(masks) == len(nodes)
        assert (job.end_at > 0) == (job.state not in (JobState.PENDING, JobState.RUNNING))
    if not expected:
        assert texts(answer.errors) or texts(answer.warnings)


@pytest.mark.parametrize("path", cases(lambda path: "gpus" in path.name and path.name.startswith("slurm-job-")))
def test_jobs_with_gpus_have_them(path: Path) -> None:
    answer = drained(JOBS.read(path.read_bytes(), WHO))
    book = JobBook("", {})
    book.add(answer.rows)
    for job, masks in zip(book.part(0.0).jobs, book.part(0.0).gpu_masks, strict=True):
        assert job.gpus > 0
        held = sum(mask.bit_count() for mask in masks)
        assert held == (job.gpus if job.state is JobState.RUNNING else 0)


@pytest.mark.parametrize("path", cases(lambda path: rows(path, "nodes") is not None))
def test_every_list_of_nodes_is_read_in_full(path: Path) -> None:
    expected = rows(path, "nodes")
    assert expected is not None
    answer = drained(NODES.read(path.read_bytes(), WHO))
    book = NodeBook()
    book.add(answer.rows)
    told = book.part(0.0)
    assert list(told.keys.names) == [row["name"] for row in expected]
    for place, row in enumerate(expected):
        state = told.states[told.codes[place]]
        words = [row["state"], *row["state_flags"]] if isinstance(row["state"], str) else row["state"]
        assert {state.state, *state.flags} == {word.upper() for word in words}
        assert (told.reasons[place].text if place in told.reasons else "") == row["reason"]
        assert bool(told.gpus[place]) == ("gpu" in row["gres"])
        assert 0 <= told.gpus_allocated[place] <= told.gpus[place]
        if "ALLOCATED" in words and told.gpus[place]:
            assert told.gpus_allocated[place] == told.gpus[place]


@pytest.mark.parametrize("path", cases(lambda path: "diag" in path.name))
def test_every_diag_tells_slurmctld_s_load(path: Path) -> None:
    diag = read_diag(path.read_bytes(), "root")
    assert diag.at > 1e9
    assert not diag.busy
    assert "threads" in diag.notes["slurmctld"]


@pytest.mark.parametrize("path", cases())
def test_what_is_another_kind_of_answer_is_refused_with_a_reason(path: Path) -> None:
    for key, reader in (("jobs", JOBS), ("nodes", NODES)):
        if rows(path, key) is None:
            with pytest.raises(BadPayload, match=f"no list of {key}: "):
                drained(reader.read(path.read_bytes(), WHO))  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", cases(lambda path: "reservations" in path.name and path.suffix == ".json"))
def test_every_list_of_reservations_is_read_in_full(path: Path) -> None:
    expected = json.loads(path.read_bytes())["reservations"]
    answer = drained(RESERVATIONS.read(path.read_bytes(), WHO))
    told = [reservation(row, "") for row in answer.rows]
    assert [each.name for each in told] == [row["name"] for row in expected]
    for each, row in zip(told, expected, strict=True):
        assert len(each.nodes) == row["node_count"]
        assert (each.start_at, each.end_at) == (plain(row["start_time"]), plain(row["end_time"]))
        assert list(each.flags) == row["flags"]
        assert ",".join(each.accounts) == row["accounts"]
