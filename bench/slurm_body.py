"""Lists as slurmrestd v0.0.41 writes them: rows of the usual length, most of it fields that nobody here reads."""

from __future__ import annotations

import json
from typing import Any

Row = dict[str, Any]
# A node has some 60 fields and a job some 110; `job_resources` lists every core of every node of the job.
NODE_FILLER = 45
JOB_FILLER = 85
CORES = 8
NODES_A_JOB = 4


def nodes_body(nodes: int, phase: int = 0) -> bytes:
    """Return a list of nodes; every tenth differs with the phase."""
    return _body("nodes", [_node(i, phase if i % 10 == 0 else 0) for i in range(nodes)])


def jobs_body(jobs: int, nodes: int, phase: int = 0) -> bytes:
    """Return a list of jobs, as many of them running as there are nodes for; every tenth differs with the phase."""
    return _body("jobs", [_job(i, nodes, phase if i % 10 == 0 else 0) for i in range(jobs)])


def _body(key: str, rows: list[Row]) -> bytes:
    meta = {"slurm": {"release": "24.05.3", "cluster": "muc"}, "plugin": {"data_parser": "data_parser/v0.0.41"}}
    text = json.dumps(
        {key: rows, "last_update": _number(1_800_000_000), "meta": meta, "errors": [], "warnings": []}, indent=2
    )
    return text.encode()


def _node(i: int, phase: int) -> Row:
    busy = "gpu:h100:8(IDX:0-7)" if (i + phase) % 3 else "gpu:h100:0(IDX:N/A)"
    drained = i % 50 == 0
    return {
        "architecture": "x86_64",
        **_filler(NODE_FILLER),
        "gres": "gpu:h100:8",
        "gres_used": busy,
        "name": f"n{i:05d}",
        "state": ["IDLE", "DRAIN"] if drained else ["ALLOCATED"],
        "reason": f"XID 79 on gpu {i % 8}" if drained else "",
        "reason_changed_at": _number(1_800_000_000 if drained else 0),
        "reason_set_by_user": "root" if drained else "",
        "tres": "cpu=192,mem=2T,billing=192",
        "tres_used": "",
    }


def _job(i: int, nodes: int, phase: int) -> Row:
    first = i * NODES_A_JOB
    running = first + NODES_A_JOB <= nodes
    names = f"n[{first:05d}-{first + NODES_A_JOB - 1:05d}]" if running else ""
    cores = [{"index": core, "status": ["ALLOCATED"]} for core in range(CORES)]
    each = [{"name": f"n{first + k:05d}", "sockets": [{"index": 0, "cores": cores}]} for k in range(NODES_A_JOB)]
    times = {"submit_time": 1_799_990_000 + i + phase, "start_time": 1_799_999_000 if running else 0, "end_time": 0}
    return {
        "account": "research",
        **_filler(JOB_FILLER),
        "job_id": 100_000 + i + 1_000_000 * phase,
        "job_resources": {"nodes": {"count": NODES_A_JOB, "list": names, "allocation": each}} if running else None,
        "job_state": ["RUNNING" if running else "PENDING"],
        "name": f"llm-{i}",
        "user_name": f"user{i % 200}",
        "partition": "train",
        "cluster": "muc",
        "nodes": names,
        "node_count": _number(NODES_A_JOB),
        "gres_detail": ["gpu:h100:8(IDX:0-7)"] * NODES_A_JOB if running else [],
        "state_reason": "None" if running else "Resources",
        "time_limit": _number(2880),
        **{name: _number(at) for name, at in times.items()},
        "array_job_id": _number(0),
        "array_task_id": {"set": False, "infinite": False, "number": 0},
        "tres_per_node": "gres/gpu:8",
    }


def _filler(fields: int) -> Row:
    """Return fields that are skipped: numbers in Slurm's notation, texts, empty lists, in turn."""
    kinds: list[Any] = [_number(0), "", "some words of the scheduler", [], 0]
    return {f"field_{i:03d}": kinds[i % len(kinds)] for i in range(fields)}


def _number(value: int) -> Row:
    return {"set": True, "infinite": False, "number": value}
