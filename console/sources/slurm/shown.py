"""What `scontrol show` and `sdiag` print, as the rows that slurmrestd would have sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from console.sources.slurm.bodies import (
    JobsBody,
    Meta,
    NodesBody,
    Release,
    ReservationsBody,
    WireExit,
    WireJob,
    WireNode,
    WireReservation,
    WireSignal,
)
from console.sources.slurm.diag import RpcType, RpcUser, Statistics
from console.sources.slurm.nodelist import names
from console.sources.slurm.records import at, minutes, number, records, states, value

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from console.sources.slurm.bodies import Take, Who

RECORDS_A_STEP = 50
ADVICE = "run the same on the login host by hand: scontrol show nodes -o"
Row = TypeVar("Row", WireNode, WireJob, WireReservation)
Body = TypeVar("Body", NodesBody, JobsBody, ReservationsBody)

_NODE = re.compile(rb"NodeName=\S+ (?:Arch=\S+ )?CoresPerSocket=")
_NODE_KEYS = re.compile(r" (Gres|GresUsed|Version|State|CfgTRES|AllocTRES)=(\S*)")
_OS = re.compile(r" OS=(.*?) +RealMemory=")
_REASON = re.compile(r" Reason=(.*) \[([^\[\]@]*)@([^\[\]@ ]+)\]", re.DOTALL)
_BARE_REASON = re.compile(r" Reason=(.*)", re.DOTALL)

_JOB = re.compile(
    rb"JobId=\d+ (?:ArrayJobId=\d+ ArrayTaskId=\S+ (?:ArrayTaskThrottle=\d+ )?)?"
    rb"(?:HetJobId=\d+ HetJobOffset=\d+ )?JobName="
)
_JOB_HEAD = re.compile(
    r"JobId=(\d+) (?:ArrayJobId=(\d+) ArrayTaskId=(\S+) (?:ArrayTaskThrottle=\d+ )?)?"
    r"(?:HetJobId=(\d+) HetJobOffset=(\d+) )?JobName=(.*) UserId=(\S*?)\((\d+)\) GroupId=\S* MCS_label=\S* "
    r"Priority=\d* Nice=-?\d* Account=(\S*) (?:[A-Z]\w*=\S* )*?(?=JobState=)",
    re.DOTALL,
)
_HET_SET = re.compile(r" HetJobIdSet=\S*\Z")
_JOB_KEYS = re.compile(
    r"(?:^| )(JobState|Reason|Requeue|Restarts|ExitCode|TimeLimit|SubmitTime|StartTime|EndTime|Partition|NodeList"
    r"|NumNodes|NumTasks|TRES|ReqTRES|AllocTRES|Features|Reservation)=(\S*)"
)
_GRES = re.compile(r" Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(\S*)")
_COMMAND = re.compile(r" Command=")
_COMMENT = re.compile(r" Comment=(.*?) +(?:StdErr|StdIn|StdOut)=", re.DOTALL)
_STDOUT = re.compile(
    r" StdOut=(.*?)(?= (?:Power|TresPer\w+|MailUser|MailType|SwitchJob|TresBind|TresFreq)=|\s*\Z)", re.DOTALL
)
_PER = re.compile(r" TresPer(Job|Node|Task)=(\S*)")
_HELD = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "CONFIGURING", "SIGNALING", "STAGE_OUT"})

_RESERVATION = re.compile(rb"ReservationName=\S+ ")
_RESERVATION_KEYS = re.compile(r"(?:^| )(ReservationName|StartTime|EndTime|Nodes|Flags|Users|Accounts)=(\S*)")


@dataclass(eq=False)
class Cluster:
    """Which Slurm prints, as it was told when the shell was opened."""

    release: str = ""
    name: str = ""


class Printed(Generic[Row, Body]):
    """Reads one kind of list; the shape of `bodies.ListReader`."""

    def __init__(
        self,
        what: str,
        begin: re.Pattern[bytes],
        row: Callable[[str, Cluster], Row | None],
        body: Callable[[list[Row]], Body],
        cluster: Cluster,
    ) -> None:
        self._what = what
        self._begin = begin
        self._first = begin.pattern[: begin.pattern.index(b"=") + 1]
        self._row: Callable[[str, Cluster], Row | None] = row
        self._body: Callable[[list[Row]], Body] = body
        self._cluster = cluster

    def read(self, content: bytes, who: Who, take: Take[Row] | None = None) -> Generator[None, None, Body]:
        """Return everything, all its rows but those that `take` is given; yields after every few. Raises BadPayload."""
        rows: list[Row] = []
        done = 0
        for done, text in enumerate(records(content, self._begin, self._first), 1):
            row = self._row(text, self._cluster)
            if row is not None:
                rows.append(row)
            if done % RECORDS_A_STEP == 0:
                if take is not None:
                    take(rows)
                    rows = []
                yield
        if not done and content.strip() and not content.lstrip().startswith(b"No "):
            raise who.bad(f"what scontrol printed is no list of {self._what}", ADVICE)
        body = self._body(rows)
        body.meta = Meta(slurm=Release(release=self._cluster.release, cluster=self._cluster.name))
        return body


@dataclass(frozen=True, eq=False)
class Readers:
    """Readers of what one cluster's commands print."""

    nodes: Printed[WireNode, NodesBody]
    jobs: Printed[WireJob, JobsBody]
    reservations: Printed[WireReservation, ReservationsBody]


def readers_of(cluster: Cluster) -> Readers:
    """Return the readers for a cluster, whose release may be told later."""
    return Readers(
        Printed("nodes", _NODE, node, NodesBody, cluster),
        Printed("jobs", _JOB, job, JobsBody, cluster),
        Printed("reservations", _RESERVATION, reservation, ReservationsBody, cluster),
    )


def node(text: str, _: Cluster) -> WireNode | None:
    """Return what `scontrol show nodes -o -d` says of one node."""
    name = text.partition(" ")[0].partition("=")[2]
    keys = _first(_NODE_KEYS.findall(text))
    reason, bare, os = _REASON.search(text), _BARE_REASON.search(text), _OS.search(text)
    return WireNode(
        name=name,
        state=states(keys.get("State", "UNKNOWN")),
        reason=value(reason[1] if reason else bare[1] if bare else None),
        reason_changed_at=at(reason[3]) if reason else None,
        reason_set_by_user=reason[2] if reason else None,
        gres=value(keys.get("Gres")),
        gres_used=value(keys.get("GresUsed")),
        tres=value(keys.get("CfgTRES")),
        tres_used=value(keys.get("AllocTRES")),
        version=value(keys.get("Version")),
        operating_system=os[1].strip() if os else None,
    )


def job(text: str, cluster: Cluster) -> WireJob | None:
    """Return what `scontrol show jobs -o -d` says of one job, None for a line that only looks like one."""
    head = _JOB_HEAD.match(text)
    if head is None:
        return None
    id, array, task, het, offset, name, user, user_id, account = head.groups()
    command = _COMMAND.search(text, head.end())
    split = command.start() if command else len(text)
    middle, tail = text[head.end() : split], text[split:]
    keys = _first(_JOB_KEYS.findall(middle))
    asked, held = _tres(keys)
    reason = keys.get("Reason", "")
    return WireJob(
        job_id=int(id),
        job_state=keys.get("JobState", ""),
        name=_HET_SET.sub("", name) if het else name,
        user_name=value(user),
        user_id=int(user_id),
        account=value(account),
        partition=value(keys.get("Partition")),
        cluster=cluster.name,
        nodes=value(keys.get("NodeList")),
        node_count=number(keys.get("NumNodes")),
        tasks=number(keys.get("NumTasks")),
        gres_detail=_details(middle),
        tres_alloc_str=held,
        tres_req_str=asked,
        # Where there are words for it, scontrol shows them, blanks as underscores, in place of the reason.
        state_reason="" if "_" in reason else reason,
        state_description=reason.replace("_", " ") if "_" in reason else "",
        submit_time=at(keys.get("SubmitTime", "")),
        start_time=at(keys.get("StartTime", "")),
        end_time=at(keys.get("EndTime", "")),
        time_limit=minutes(keys.get("TimeLimit", "")),
        array_job_id=number(array),
        array_task_id=int(task) if task is not None and task.isdecimal() else None,
        array_task_string=task if task is not None and not task.isdecimal() else None,
        het_job_id=number(het),
        het_job_offset=number(offset),
        restart_cnt=number(keys.get("Restarts")),
        exit_code=_exit(keys.get("ExitCode", "")),
        requeue=keys.get("Requeue") == "1",
        features=value(keys.get("Features")),
        resv_name=value(keys.get("Reservation")),
        **_tail(tail),
    )


def _tail(text: str) -> dict[str, Any]:
    """Return what stands behind the command: what users wrote, and GPUs by job, node and task."""
    per = {which: value(told) for which, told in _PER.findall(text)}
    comment, output = _COMMENT.search(text), _STDOUT.search(text)
    return {
        "tres_per_job": per.get("Job"),
        "tres_per_node": per.get("Node"),
        "tres_per_task": per.get("Task"),
        "standard_output": value(output[1]) if output else None,
        "comment": value(comment[1].rstrip()) if comment else None,
    }


def _tres(keys: dict[str, str]) -> tuple[str | None, str | None]:
    """Return what a job asks for and what it holds; up to 23.02 both stand in one place."""
    either = value(keys.get("TRES"))
    asked = value(keys.get("ReqTRES")) or either
    return asked, value(keys.get("AllocTRES")) or (either if keys.get("JobState") in _HELD else None)


def reservation(text: str, _: Cluster) -> WireReservation:
    """Return what `scontrol show reservations -o` says of one reservation."""
    keys = _first(_RESERVATION_KEYS.findall(text))
    return WireReservation(
        name=keys.get("ReservationName"),
        node_list=value(keys.get("Nodes")),
        start_time=at(keys.get("StartTime", "")),
        end_time=at(keys.get("EndTime", "")),
        flags=value(keys.get("Flags")),
        users=value(keys.get("Users")),
        accounts=value(keys.get("Accounts")),
    )


def _first(found: list[tuple[str, str]]) -> dict[str, str]:
    """Return values by key, the first of each: what comes later may be somebody's text."""
    keys: dict[str, str] = {}
    for key, told in found:
        keys.setdefault(key, told)
    return keys


def _details(text: str) -> list[str]:
    """Return the GRES of each node, in the order of the node list; groups of nodes that hold the same are one there."""
    details: list[str] = []
    for nodes, gres in _GRES.findall(text):
        details += [gres] * len(names(nodes))
    return details if any(details) else []


def _exit(text: str) -> WireExit | None:
    code, _, signal = text.partition(":")
    if not code.isdecimal():
        return None
    return WireExit(return_code=int(code), signal=WireSignal(id=int(signal)) if signal.isdecimal() else None)


_FIGURES = {
    "server_thread_count": re.compile(r"Server thread count:\s*(\d+)"),
    "agent_queue_size": re.compile(r"(?m)^Agent queue size:\s*(\d+)"),
    "dbd_agent_queue_size": re.compile(r"DBD Agent queue size:\s*(\d+)"),
    "schedule_cycle_last": re.compile(r"(?s)Main schedule.*?Last cycle:\s*(\d+)"),
    "schedule_cycle_mean": re.compile(r"(?s)Main schedule.*?Mean cycle:\s*(\d+)"),
    "schedule_queue_length": re.compile(r"(?s)Main schedule.*?Last queue length:\s*(\d+)"),
    "bf_cycle_last": re.compile(r"(?s)Backfilling stats.*?Last cycle:\s*(\d+)"),
    "req_time": re.compile(r"sdiag output at .*\((\d+)\)"),
    "req_time_start": re.compile(r"Data since .*\((\d+)\)"),
}
_RPC = re.compile(r"(?m)^\s+(\S+)\s+\(\s*\d+\)\s+count:(\d+)\s+ave_time:(\d+)\s+total_time:(\d+)")


def statistics(content: bytes, who: Who) -> Statistics:
    """Return what sdiag prints; raises BadPayload."""
    text = content[:262_144].decode("utf-8", "replace")
    figures = {name: int(found[1]) for name, how in _FIGURES.items() if (found := how.search(text))}
    if "server_thread_count" not in figures:
        raise who.bad("what sdiag printed cannot be read", "run sdiag on the login host by hand")
    kinds, _, users = text.partition("statistics by user")
    return Statistics(
        **figures,
        rpcs_by_message_type=[
            RpcType(message_type=name, count=int(n), average_time=int(mean), total_time=int(total))
            for name, n, mean, total in _RPC.findall(kinds)
        ],
        rpcs_by_user=[
            RpcUser(user=name, count=int(n), total_time=int(total)) for name, n, _, total in _RPC.findall(users)
        ],
    )
