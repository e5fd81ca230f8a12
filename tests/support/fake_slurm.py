"""A slurmrestd in one object: rows are written once and told in the notation of whichever version is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from tests.support.bad_http import answer

if TYPE_CHECKING:
    from tests.support.bad_http import Behaviour, Request, Writer

Row = dict[str, Any]
NODE_TIMES = ("reason_changed_at", "last_busy", "boot_time", "start_time", "end_time")
JOB_NUMBERS = (
    "submit_time", "start_time", "end_time", "time_limit", "array_job_id", "array_task_id", "node_count", "tasks",
    "het_job_id", "het_job_offset",
)  # fmt: skip
UNSET, INFINITE = object(), object()
WHAT = ("nodes", "jobs", "reservations", "diag")


def node(name: str, *states: str, **more: Any) -> Row:
    """Return a node of eight GPUs, as v0.0.41 spells its states."""
    row: Row = {"architecture": "x86_64", "name": name, "state": list(states or ("IDLE",)), "gres": "gpu:h100:8"}
    row |= {"gres_used": "gpu:h100:0(IDX:N/A)", "reason": "", "reason_changed_at": 0, "reason_set_by_user": ""}
    return row | {"tres": "cpu=96,mem=1000G,billing=96", "tres_used": None} | more


def job(number: int, *states: str, **more: Any) -> Row:
    """Return a job that waits, without GPUs, as v0.0.41 spells its states."""
    row: Row = {"account": "research", "job_id": number, "name": f"llm-{number}", "user_name": "ada", "user_id": 1000}
    row |= {"job_state": list(states or ("PENDING",)), "partition": "gpu", "cluster": "muc", "nodes": ""}
    row |= {
        "gres_detail": [],
        "state_reason": "None",
        "array_task_string": "",
        "tres_alloc_str": "",
        "tres_per_job": "",
    }
    row |= {"tres_req_str": "cpu=1,node=1", "tres_per_node": "", "tres_per_task": ""}
    row |= dict.fromkeys(JOB_NUMBERS, 0) | {"array_task_id": UNSET, "time_limit": UNSET, "node_count": 1, "tasks": 1}
    return row | more


def reservation(name: str, **more: Any) -> Row:
    """Return a reservation for ada, of an hour that has begun."""
    row: Row = {"name": name, "node_list": "n[1-2]", "start_time": 1_799_999_000, "end_time": 1_800_002_600}
    return row | {"users": "ada,ada", "accounts": "", "flags": ["MAINT", "IGNORE_JOBS"]} | more


def told(rows: list[Row], *, plain: bool) -> list[Row]:
    """Return rows in the notation of v0.0.38 (`plain`) or of v0.0.41."""
    return [_plain(row) if plain else _structured(row) for row in rows]


def _plain(row: Row) -> Row:
    row = {key: None if value is UNSET else 4294967295 if value is INFINITE else value for key, value in row.items()}
    if "state" in row:
        row["state"], row["state_flags"] = row["state"][0].lower(), row["state"][1:]
    if "job_state" in row:
        row["job_state"] = row["job_state"][0]
        row["job_resources"] = {"nodes": row["nodes"], "allocated_nodes": [{"nodename": row["nodes"]}]}
    return row


def _structured(row: Row) -> Row:
    row = {key: _number(value) if key in (*NODE_TIMES, *JOB_NUMBERS) else value for key, value in row.items()}
    if "job_state" in row:
        cores = [{"index": i, "status": ["UNALLOCATED"]} for i in range(4)]
        allocation = [{"name": "n0", "sockets": [{"index": 0, "cores": cores}]}] * 2
        row["job_resources"] = {"nodes": {"count": 1, "list": row["nodes"], "allocation": allocation}}
    return row


def _number(value: Any) -> Row:
    special = value is UNSET or value is INFINITE
    return {"set": not special, "infinite": value is INFINITE, "number": 0 if special else value}


@dataclass
class FakeSlurm:
    """Answers like slurmrestd; `changed_at` is when anything last changed, `token` what must be shown."""

    nodes: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    reservations: list[Row] = field(default_factory=list)
    offers: tuple[str, ...] = ("v0.0.39", "v0.0.40", "v0.0.41")
    token: str = ""
    now: float = 1_800_000_000.0
    changed_at: float = 1_800_000_000.0
    threads: int = 3
    refusal: tuple[int, str] | None = None
    """Status and error with which lists are refused."""
    openapi_v3: bool = True
    pretty: bool = True
    asked: list[str] = field(default_factory=list)

    def respond(self, target: str, headers: Any) -> tuple[int, str, str]:
        """Return status, content type and body."""
        parts = urlsplit(target)
        self.asked.append(parts.path + (f"?{parts.query}" if parts.query else ""))
        if self.token and not headers.get("x-slurm-user-token"):
            return 401, "text/plain", "Authentication failure"
        if parts.path == "/openapi" or (parts.path == "/openapi/v3" and self.openapi_v3):
            paths = {f"/slurm/{version}/{what}/": {} for version in self.offers for what in ("nodes", "jobs", "diag")}
            return 200, "application/json", json.dumps({"paths": paths}).replace("/", "\\/")
        pieces = parts.path.strip("/").split("/")
        if len(pieces) == 4 and pieces[1] in self.offers and pieces[2] in ("node", "job"):
            return self._one(pieces[1], pieces[2], unquote(pieces[3]))
        if len(pieces) != 3 or pieces[1] not in self.offers or pieces[2] not in WHAT:
            return 404, "text/plain", "Unable find requested URL. Please view /openapi/v3 for API reference."
        if self.token and headers.get("x-slurm-user-token") != self.token:
            return (
                500,
                "application/json",
                json.dumps(self._with_error(pieces[2], "Protocol authentication error", 1007)),
            )
        return self._answer(pieces[1], pieces[2], parse_qs(parts.query))

    def _answer(self, version: str, what: str, query: dict[str, list[str]]) -> tuple[int, str, str]:
        if what == "diag":
            return 200, "application/json", json.dumps(self._diag())
        if self.refusal is not None:
            status, text = self.refusal
            return status, "application/json", json.dumps(self._with_error(what, text, 2))
        if query and float(query["update_time"][0]) - 1 >= self.changed_at:
            return 304, "", ""
        plain = version <= "v0.0.38"
        lists = {"nodes": self.nodes, "jobs": self.jobs, "reservations": self.reservations}
        rows = told(lists[what], plain=plain)
        body: Row = {what: rows, "meta": self._meta(plain), "errors": []}
        if not plain:
            body |= {"last_update": _number(int(self.now)), "warnings": []}
        return 200, "application/json", json.dumps(body, indent=2 if self.pretty else None)

    def _one(self, version: str, what: str, name: str) -> tuple[int, str, str]:
        """Answer for one node or job."""
        rows, key = (self.nodes, "name") if what == "node" else (self.jobs, "job_id")
        found = [row for row in rows if str(row[key]) == name]
        if not found:
            text = "Invalid node name specified" if what == "node" else "Invalid job id specified"
            return 500, "application/json", json.dumps(self._with_error(f"{what}s", text, 2017))
        plain = version <= "v0.0.38"
        return 200, "application/json", json.dumps({f"{what}s": told(found, plain=plain), "meta": self._meta(plain)})

    def _meta(self, plain: bool) -> Row:
        return {"Slurm": {"release": "22.05.8"}} if plain else {"slurm": {"release": "24.05.3", "cluster": "muc"}}

    def _with_error(self, what: str, text: str, number: int) -> Row:
        error = {"description": f"Unable to query {what}", "error_number": number, "error": text}
        return {what: [], "meta": self._meta(False), "errors": [error], "warnings": []}

    def _diag(self) -> Row:
        kinds = [{"message_type": "REQUEST_JOB_INFO", "count": 10, "average_time": 650, "total_time": 6500}]
        users = [{"user": "root", "count": 12, "average_time": 300, "total_time": 3_600_000}]
        told = {"server_thread_count": self.threads, "req_time": int(self.now), "req_time_start": int(self.now) - 3600}
        return {"statistics": told | {"rpcs_by_message_type": kinds, "rpcs_by_user": users, "agent_queue_size": 0}}

    def transport(self) -> httpx.MockTransport:
        """Return a transport that answers as this server does."""

        def handle(request: httpx.Request) -> httpx.Response:
            status, kind, text = self.respond(str(request.url), request.headers)
            return httpx.Response(status, text=text, headers={"content-type": kind} if kind else {})

        return httpx.MockTransport(handle)

    @property
    def behaviour(self) -> Behaviour:
        """The same for a server on loopback."""

        async def act(request: Request, writer: Writer) -> None:
            status, kind, text = self.respond(request.target, request.headers)
            await answer(text, status, kind)(request, writer)

        return act
