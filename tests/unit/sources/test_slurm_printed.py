from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from console.model.errors import BadPayload
from console.sources.slurm.bodies import Who
from console.sources.slurm.records import NO_LIMIT, at, minutes, number, states, value
from console.sources.slurm.shown import Cluster, readers_of, statistics

if TYPE_CHECKING:
    from collections.abc import Generator

WHO = Who("lab", "slurm")
READERS = readers_of(Cluster("24.05.1", "kit"))


def read(steps: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def jobs(text: str) -> list[Any]:
    return list(read(READERS.jobs.read(text.encode("utf-8", "surrogateescape"), WHO)).rows)


def nodes(text: str) -> list[Any]:
    return list(read(READERS.nodes.read(text.encode(), WHO)).rows)


def job(
    id: int = 7,
    name: str = "train",
    more: str = "",
    tail: str = " Command=/home/ada/run.sh WorkDir=/home/ada StdErr=/e StdIn=/dev/null StdOut=/o",
    state: str = "RUNNING",
    nodes: str = "n[1-2]",
    tres: str = "ReqTRES=cpu=2,gres/gpu=8 AllocTRES=cpu=2,gres/gpu=8",
    limit: str = "UNLIMITED",
) -> str:
    """One record as 24.05 prints it."""
    return (
        f"JobId={id} JobName={name} UserId=ada(1000) GroupId=ml(100) MCS_label=N/A Priority=10 Nice=0 Account=ml "
        f"QOS=hi WCKey=* JobState={state} Reason=None Dependency=(null) Requeue=1 Restarts=2 BatchFlag=1 ExitCode=0:9 "
        f"RunTime=00:00:02 TimeLimit={limit} TimeMin=N/A SubmitTime=2026-11-25T01:30:03 StartTime=2026-11-25T01:30:04 "
        f"EndTime=Unknown Deadline=N/A Partition=gpu AllocNode:Sid=l:1 ReqNodeList=(null) NodeList={nodes} NumNodes=2 "
        f"NumCPUs=2 NumTasks=2 {tres} Socks/Node=* CoreSpec=*{more} MinCPUsNode=1 Features=(null) DelayBoot=00:00:00 "
        f"Licenses=(null) Network=(null){tail}\n"
    )


def test_a_job_of_a_newer_slurm() -> None:
    (row,) = jobs(job())
    assert (row.job_id, row.name, row.user_name, row.user_id, row.account) == (7, "train", "ada", 1000, "ml")
    assert (row.job_state, row.partition, row.cluster, row.nodes, row.node_count) == (
        "RUNNING",
        "gpu",
        "kit",
        "n[1-2]",
        2,
    )
    assert (row.tres_alloc_str, row.time_limit, row.restart_cnt) == ("cpu=2,gres/gpu=8", NO_LIMIT, 2)
    assert (row.exit_code.return_code, row.exit_code.signal.id) == (0, 9)
    assert (row.submit_time, row.end_time, row.standard_output, row.requeue) == (1795570203, 0, "/o", True)


@pytest.mark.parametrize(
    "name",
    [
        "two words",
        "a=b JobState=FAILED",
        "x UserId=root(0) GroupId=root(0) c",
        "line\nbreak",
        "line\nJobId=9 and more",
        "tab\tand \\n escapes \x1b[31m",
        " leading and trailing ",
        "",
        "é" * 100,
        "NodeName=n1",
    ],
)
def test_names_are_taken_as_they_are(name: str) -> None:
    first, second = jobs(job(1, name) + job(2))
    assert (first.job_id, first.name, first.user_name, first.job_state) == (1, name, "ada", "RUNNING")
    assert second.job_id == 2


def test_what_is_not_utf8_costs_no_other_job() -> None:
    first, second = jobs(job(1, "caf\udce9") + job(2))
    assert first.name == "caf�"
    assert second.job_id == 2


def test_a_comment_cannot_change_what_slurm_says() -> None:
    comment = "x JobState=FAILED NodeList=n9 Nodes=n9 CPU_IDs=0 Mem=0 GRES=gpu:9"
    tail = f" Command=/a b WorkDir=/w Comment={comment}  StdErr=/e StdIn=/i StdOut=/o p Power="
    (row,) = jobs(job(tail=tail))
    assert row.job_state == "RUNNING"
    assert row.nodes == "n[1-2]"
    assert row.gres_detail == []
    assert row.comment == comment
    assert row.standard_output == "/o p"


def test_gpus_by_node_of_groups_that_hold_the_same() -> None:
    more = (
        " JOB_GRES=gpu:h100:10 Nodes=n[1-2] CPU_IDs=0-1 Mem=0 GRES=gpu:h100:4(IDX:0-3)"
        " Nodes=n4 CPU_IDs=0 Mem=0 GRES=gpu:h100:2(IDX:0,5)"
    )
    (row,) = jobs(job(nodes="n[1-2,4]", more=more))
    assert row.gres_detail == ["gpu:h100:4(IDX:0-3)", "gpu:h100:4(IDX:0-3)", "gpu:h100:2(IDX:0,5)"]


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("JobId=8 ArrayJobId=3 ArrayTaskId=1 ArrayTaskThrottle=2 JobName=", (3, 1, None)),
        ("JobId=3 ArrayJobId=3 ArrayTaskId=3-8%2 JobName=", (3, None, "3-8%2")),
        ("JobId=3 ArrayJobId=3 ArrayTaskId=1,4-9:2 ArrayTaskThrottle=1 JobName=", (3, None, "1,4-9:2")),
        ("JobId=8 JobName=", (None, None, None)),
    ],
)
def test_arrays(head: str, wanted: tuple[Any, ...]) -> None:
    (row,) = jobs(job(8).replace("JobId=8 JobName=", head))
    assert (row.array_job_id, row.array_task_id, row.array_task_string) == wanted


def test_parts_of_a_heterogeneous_job() -> None:
    text = job(7, "het HetJobIdSet=6-7").replace("JobId=7 ", "JobId=7 HetJobId=6 HetJobOffset=1 ")
    (row,) = jobs(text)
    assert (row.name, row.het_job_id, row.het_job_offset) == ("het", 6, 1)


def test_a_waiting_job_holds_nothing() -> None:
    (row,) = jobs(job(state="PENDING", nodes="(null)", tres="TRES=cpu=2,gres/gpu=8"))
    assert (row.nodes, row.tres_alloc_str, row.tres_req_str) == (None, None, "cpu=2,gres/gpu=8")


def test_four_thousand_nodes_in_one_list() -> None:
    (row,) = jobs(job(nodes="n[0001-4000]", more=" Nodes=n[0001-4000] CPU_IDs=0 Mem=0 GRES=gpu:8(IDX:0-7)"))
    assert len(row.gres_detail) == 4000


NODE = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUTot=96 CPULoad=N/A AvailableFeatures=(null) "
    "Gres={gres} GresDrain=N/A GresUsed={used} NodeAddr=1.2.3.4 Version=24.05.1 OS=Linux 6.1 #1 SMP x  RealMemory=1 "
    "State={state} ThreadsPerCore=1 Partitions=gpu CfgTRES=cpu=96 AllocTRES={tres} CapWatts=n/a{reason}\n"
)


def node(
    name: str = "n1", state: str = "IDLE", reason: str = "", gres: str = "gpu:4", used: str = "gpu:0", tres: str = ""
) -> str:
    return NODE.format(name=name, state=state, reason=reason, gres=gres, used=used, tres=tres)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ("IDLE", "IDLE"),
        ("IDLE+DRAIN", "IDLE+DRAIN"),
        ("DOWN*", "DOWN+NOT_RESPONDING"),
        ("IDLE+DRAIN*", "IDLE+DRAIN+NOT_RESPONDING"),
        ("IDLE~", "IDLE+POWERED_DOWN"),
        ("MIXED#", "MIXED+POWERING_UP"),
        ("IDLE$", "IDLE+MAINTENANCE"),
        ("ALLOCATED@", "ALLOCATED+REBOOT_REQUESTED"),
        ("IDLE-", "IDLE+PLANNED"),
        ("DOWN^*", "DOWN+REBOOT_ISSUED+NOT_RESPONDING"),
    ],
)
def test_states_with_flags_and_signs(shown: str, wanted: str) -> None:
    assert nodes(node(state=shown))[0].state == wanted
    assert states(shown) == wanted


def test_a_reason_is_free_text() -> None:
    reason = " Reason=bad State=IDLE [a@b]\nNodeName=n9 [sre@2026-11-25T01:30:03]"
    first, second = nodes(node("n1", reason=reason) + node("n2"))
    assert (first.state, first.reason) == ("IDLE", "bad State=IDLE [a@b]\nNodeName=n9")
    assert (first.reason_set_by_user, first.reason_changed_at) == ("sre", 1795570203)
    assert (second.name, second.reason) == ("n2", None)


def test_a_reason_without_who_and_when() -> None:
    assert nodes(node(reason=" Reason=Not responding"))[0].reason == "Not responding"


def test_missing_values_are_none() -> None:
    (row,) = nodes(node(gres="(null)", used="N/A"))
    assert (row.gres, row.gres_used, row.tres_used) == (None, None, None)
    assert row.operating_system == "Linux 6.1 #1 SMP x"
    assert [value(each) for each in ("(null)", "N/A", "None", "Unknown", "x", "", None)] == [
        None, None, None, None, "x", None, None
    ]  # fmt: skip


def test_reservations() -> None:
    text = (
        "ReservationName=maint StartTime=2026-11-25T02:30:03 EndTime=2026-11-25T03:30:03 Duration=01:00:00 "
        "Nodes=n[1-3] NodeCnt=3 CoreCnt=96 Features=(null) PartitionName=(null) Flags=MAINT,SPEC_NODES TRES=cpu=96 "
        "Users=ada,bob Groups=(null) Accounts=(null) Licenses=(null) State=INACTIVE\n"
    )
    (row,) = read(READERS.reservations.read(text.encode(), WHO)).rows
    assert (row.name, row.node_list, row.start_time, row.flags, row.users, row.accounts) == (
        "maint", "n[1-3]", 1795573803, "MAINT,SPEC_NODES", "ada,bob", None
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "No jobs in the system\n", "\nNo jobs in the system"])
def test_nothing_is_no_fault(text: str) -> None:
    assert jobs(text) == []


@pytest.mark.parametrize("text", ["Welcome to login1\n", "slurm_load_jobs error", "<html>", "JobId=5 truncated"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadPayload, match="lab/slurm: what scontrol printed is no list of jobs"):
        jobs(text)


def test_a_message_before_the_records_is_passed_over() -> None:
    assert [row.job_id for row in jobs("Last login: today\nJobId=x JobName=\n" + job(3))] == [3]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("00:05:00", 5),
        ("1-00:00:00", 1440),
        ("2-03:04:05", 3064),
        ("05:00", 5),
        ("UNLIMITED", NO_LIMIT),
        ("infinite", NO_LIMIT),
        ("Partition_Limit", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_lengths(text: str, wanted: int | None) -> None:
    assert minutes(text) == wanted


def test_times_and_numbers() -> None:
    assert at("2026-11-25T01:30:03") == at("1795570203") == 1795570203
    assert at("Unknown") == at("None") == at("") == at("2026-13-45T99:99:99") == 0
    assert (number("2-2"), number("(null)"), number("")) == (2, None, None)


def test_a_big_list_is_read_in_small_steps() -> None:
    steps = READERS.nodes.read("".join(node(f"n{i}") for i in range(501)).encode(), WHO)
    assert sum(1 for _ in steps) == 10


def test_what_is_no_sdiag_is_refused() -> None:
    with pytest.raises(BadPayload, match="sdiag"):
        statistics(b"sdiag: command failed", WHO)
