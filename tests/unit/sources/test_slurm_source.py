from __future__ import annotations

import base64
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import Auth, Secret, SourceConfig
from console.model import errors
from console.model.jobs import JobState
from console.model.reading import EventsPart, JobsPart, NodeReportsPart, ReservationsPart
from console.sources.slurm.bodies import JOBS, NODES, Who
from console.sources.slurm.source import RESERVATIONS_EVERY, SlurmSource
from tests.support.fake_slurm import INFINITE, FakeSlurm, job, node, reservation

if TYPE_CHECKING:
    from pathlib import Path

    from console.model.reading import Part, Reading

T0 = 1_800_000_000.0
CONFIG = SourceConfig("slurm", "slurm", "http://slurm.example", cadence_s=30.0)
NODES_WANTED = [
    node("n1", "MIXED", gres_used="gpu:h100:6(IDX:0-5)"),
    node("n2", "IDLE", "DRAIN", reason="XID 79 on gpu 3", reason_changed_at=int(T0) - 600, reason_set_by_user="root"),
    node("n3", "ALLOCATED", gres_used="gpu:h100:8(IDX:0-7)"),
]
JOBS_WANTED = [
    job(1, "RUNNING", nodes="n[1,3]", gres_detail=["gpu:h100:4(IDX:0-3)", "gpu:h100:8(IDX:0-7)"],
        start_time=int(T0) - 60, submit_time=int(T0) - 100, end_time=int(T0) + 3000, time_limit=60),
    job(2, "RUNNING", nodes="n1", gres_detail=["gpu:h100:2(IDX:4-5)"], time_limit=INFINITE),
    job(3, tres_per_node="gres/gpu:8", node_count=4, state_reason="Resources", start_time=int(T0) + 999),
    job(4, tres_per_job="gres/gpu:1", array_job_id=4, array_task_string="2-9%2", state_reason="JobArrayTaskLimit"),
    job(5, "RUNNING", array_job_id=4, array_task_id=1, nodes="n1"),
    job(6, "FAILED", nodes="n1", state_reason="NonZeroExitCode", tres_alloc_str="cpu=1,gres/gpu=8", end_time=int(T0)),
    job(7, het_job_id=7, het_job_offset=1),
]  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> float:
        return self.now


def opened(of: FakeSlurm, clock: Clock | None = None, **more: Any) -> SlurmSource:
    clock = clock or Clock()
    config = replace(CONFIG, options={**more.pop("options", {})}, **more)
    return SlurmSource("muc1", config, transport=of.transport(), monotonic=clock, wall=clock)


async def read(source: SlurmSource) -> tuple[Reading, list[Part]]:
    reading = await source.read()
    return reading, [part for part in reading.decode() if not isinstance(part, EventsPart)]


def slurm(**more: Any) -> FakeSlurm:
    return FakeSlurm(list(NODES_WANTED), list(JOBS_WANTED), **more)


@pytest.fixture(params=["v0.0.38", "v0.0.41"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_nodes_tell_state_flags_reason_and_gpus(version: str) -> None:
    _, parts = await read(opened(slurm(offers=(version,))))
    nodes = parts[0]
    assert isinstance(nodes, NodeReportsPart)
    assert nodes.keys.names == ("n1", "n2", "n3")
    assert [nodes.states[code].text for code in nodes.codes] == ["MIXED", "IDLE+DRAIN", "ALLOCATED"]
    assert nodes.gpus.tolist() == [8, 8, 8]
    assert nodes.gpus_allocated.tolist() == [6, 0, 8]
    assert list(nodes.reasons) == [1]
    assert (nodes.reasons[1].text, nodes.reasons[1].at, nodes.reasons[1].by) == ("XID 79 on gpu 3", T0 - 600, "root")


async def test_jobs_tell_the_same_in_every_notation(version: str) -> None:
    _, parts = await read(opened(slurm(offers=(version,))))
    told = parts[1]
    assert isinstance(told, JobsPart)
    by_id = {each.id: each for each in told.jobs}
    assert list(by_id) == ["1", "2", "3", "4_[2-9%2]", "4_1", "6", "7+1"]
    first, endless, waiting, array, failed = (by_id[id] for id in ("1", "2", "3", "4_[2-9%2]", "6"))
    assert (first.gpus, first.nodes, first.time_limit_s) == (12, 2, 3600.0)
    assert (first.start_at, first.submit_at, first.end_at) == (T0 - 60, T0 - 100, 0.0)
    assert endless.time_limit_s == math.inf
    assert (waiting.gpus, waiting.nodes, waiting.reason, waiting.start_at) == (32, 4, "Resources", 0.0)
    assert (array.gpus, array.tasks, array.array) == (1, 8, "4")
    assert (failed.state, failed.gpus, failed.reason, failed.end_at) == (JobState.FAILED, 8, "NonZeroExitCode", T0)
    assert first.cluster == "muc"


async def test_jobs_hold_the_gpus_that_slurm_names(version: str) -> None:
    _, parts = await read(opened(slurm(offers=(version,))))
    told = parts[1]
    assert isinstance(told, JobsPart)
    held = {
        each.id: (nodes, masks) for each, nodes, masks in zip(told.jobs, told.node_lists, told.gpu_masks, strict=True)
    }
    assert held["1"] == (("n1", "n3"), (0b1111, 0b11111111))
    assert held["2"] == (("n1",), (0b110000,))
    assert held["3"] == ((), ())
    assert held["4_1"] == (("n1",), (0,))  # no GPU asked for, none held
    assert held["6"] == (("n1",), (0,))  # it has ended: where it ran is known, but it holds nothing


async def test_gpus_that_are_counted_but_not_named_are_held_only_where_they_are_all_there_are() -> None:
    whole = job(1, "RUNNING", nodes="n[1-2]", tres_alloc_str="gres/gpu=16", node_count=2)
    part = job(2, "RUNNING", nodes="n3", tres_alloc_str="gres/gpu=4")
    _, parts = await read(opened(FakeSlurm(list(NODES_WANTED), [whole, part])))
    assert parts[1].gpu_masks == ((-1, -1), (0,))  # type: ignore[union-attr]


async def test_the_newest_version_that_both_can_do_is_spoken() -> None:
    for offers, spoken in (
        (("v0.0.36", "v0.0.37", "v0.0.38"), "v0.0.38"),
        (("v0.0.40", "v0.0.44", "v0.0.41"), "v0.0.44"),
        (("v0.0.43", "v0.0.44", "v0.0.45"), "v0.0.44"),
        (("v0.0.47", "v0.0.46"), "v0.0.46"),
        (("v0.0.99", "v0.0.100"), "v0.0.99"),
    ):
        of = slurm(offers=offers)
        reading, _ = await read(opened(of))
        assert reading.notes["api"] == spoken


async def test_a_server_without_the_newer_address_of_its_specification() -> None:
    reading, parts = await read(opened(slurm(openapi_v3=False)))
    assert len(parts) == 3
    assert reading.requests == 6


async def test_a_version_may_be_pinned_and_must_be_there() -> None:
    reading, _ = await read(opened(slurm(), options={"api": "v0.0.40"}))
    assert reading.notes["api"] == "v0.0.40"
    with pytest.raises(errors.NotOffered, match=r"does not offer v0\.0\.43; it has: v0\.0\.39, v0\.0\.40, v0\.0\.41"):
        await opened(slurm(), options={"api": "v0.0.43"}).read()


async def test_a_server_that_is_too_old_is_refused_by_name() -> None:
    with pytest.raises(errors.NotOffered, match=r"offers v0\.0\.36, v0\.0\.37; v0\.0\.38 or later is needed"):
        await opened(slurm(offers=("v0.0.36", "v0.0.37"))).read()


async def test_an_upgraded_server_is_asked_anew() -> None:
    of, clock = slurm(offers=("v0.0.40",)), Clock()
    source = opened(of, clock)
    await read(source)
    of.offers = ("v0.0.42",)
    clock.now += 30
    with pytest.raises(errors.NotOffered):
        await source.read()
    reading, _ = await read(source)
    assert reading.notes["api"] == "v0.0.42"


async def test_a_quiet_cluster_is_asked_for_changes_only_and_keeps_what_it_said(version: str) -> None:
    of, clock = slurm(offers=(version,), changed_at=T0 - 100), Clock()
    source = opened(of, clock)
    _, first = await read(source)
    clock.now = of.now = T0 + 30
    _, second = await read(source)
    assert [part.at for part in second] == [T0 + 30, T0 + 30]  # type: ignore[union-attr]
    assert second[0].keys is first[0].keys  # type: ignore[union-attr]
    clock.now = of.now = T0 + 60
    _, third = await read(source)  # since T0 + 0: nothing was new at T0 + 30 either
    assert len(third) == 2
    assert of.asked[-1].endswith(f"/jobs?update_time={int(T0)}")
    of.changed_at = T0 + 70
    of.jobs = of.jobs[:1]
    clock.now = of.now = T0 + 90
    _, parts = await read(source)
    assert len(parts[1].jobs) == 1  # type: ignore[union-attr]


async def test_a_list_that_cannot_tell_its_changes_is_asked_for_in_full(tmp_path: Path) -> None:
    of, clock, runs = slurm(offers=("v0.0.38",)), Clock(), tmp_path / "runs"
    command = ("sh", "-c", f"echo run >>{runs}; echo token")
    source = opened(of, clock, auth=Auth(jwt=Secret(command=command)), base_dir=str(tmp_path))
    await read(source)
    respond, failing = of.respond, (500, "application/json", '{"errors": [{"error": "Unspecified error"}]}')

    def without_partitions(target: str, headers: Any) -> tuple[int, str, str]:
        return failing if "nodes?update_time" in target else respond(target, headers)

    of.respond = without_partitions  # type: ignore[method-assign]
    of.nodes = of.nodes[:2]
    clock.now = of.now = of.changed_at = T0 + 30
    reading, parts = await read(source)
    assert len(parts[0].keys) == 2  # type: ignore[union-attr]
    assert reading.warnings == ()
    assert runs.read_text() == "run\n"  # the token is not to blame


async def test_a_full_list_is_asked_for_now_and_then_all_the_same() -> None:
    of, clock = slurm(changed_at=T0 - 100), Clock()
    source = opened(of, clock)
    await read(source)
    clock.now = of.now = T0 + 601
    await read(source)
    assert not any("update_time" in target for target in of.asked)


async def test_an_answer_that_was_never_decoded_is_asked_for_again() -> None:
    of, clock = slurm(changed_at=T0 - 100), Clock()
    source = opened(of, clock)
    await source.read()
    clock.now += 30
    _, parts = await read(source)
    assert len(parts) == 2


async def test_lists_are_not_asked_for_more_often_than_the_cadence() -> None:
    of, clock = slurm(), Clock()
    source = opened(of, clock)
    await read(source)
    clock.now += 10
    _, parts = await read(source)
    assert parts == []
    clock.now += 20
    assert len((await read(source))[1]) == 2


async def test_a_busy_slurmctld_is_asked_less_often() -> None:
    of, clock = slurm(threads=200), Clock()
    source = opened(of, clock)
    reading, _ = await read(source)
    assert reading.cadence_s == 120
    assert any("200 of 256 threads" in warning for warning in reading.warnings)
    clock.now += 60
    assert (await read(source))[1] == []
    of.threads = 3
    reading, parts = await read(source)
    assert reading.cadence_s == 30
    assert len(parts) == 2


async def test_what_lists_cost_slurmctld_is_told() -> None:
    reading, _ = await read(opened(slurm(), options={"user": "root"}))
    assert reading.notes["lists cost"] == "REQUEST_JOB_INFO: 10 x 0.65 ms"
    assert reading.notes["user root"] == "12 requests, 3.6 s, 0.10% of its time"
    assert reading.notes["server"] == "Slurm 24.05.3"
    assert reading.notes["cluster"] == "muc"


def token(ends_at: float, user: str = "sre") -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part({'exp': ends_at, 'sun': user})}.c2lnbmVk"


def with_token(file: Path) -> Auth:
    return Auth(jwt=Secret(file=str(file)))


async def test_a_refused_token_is_read_anew_at_once(tmp_path: Path) -> None:
    file, of = tmp_path / "token", slurm(token="new")
    file.write_text("worn-out")
    source = opened(of, auth=with_token(file))
    with pytest.raises(errors.Unauthorized, match=r"Protocol authentication error.*scontrol token") as caught:
        await source.read()
    assert "worn-out" not in str(caught.value)
    file.write_text("new")
    assert len((await read(source))[1]) == 3
    of.token = "newer"
    file.write_text("newer")
    reading, _ = await read(source)
    assert "newer" not in str(reading)


async def test_a_token_is_read_anew_before_it_ends(tmp_path: Path) -> None:
    file, clock = tmp_path / "token", Clock()
    first, second = token(T0 + 300), token(T0 + 3600)
    of = slurm(token=first)
    file.write_text(first)
    source = opened(of, clock, auth=with_token(file))
    reading, _ = await read(source)
    assert reading.notes["token"] == "ends in 0.1 h"
    file.write_text(second)
    of.token = second
    clock.now = T0 + 250  # it would hold for 50 s more
    asked = len(of.asked)
    reading, parts = await read(source)
    assert len(parts) == 2
    assert len(of.asked) == asked + 3  # nothing was refused
    assert reading.notes["token"] == "ends in 0.9 h"


async def test_a_token_that_has_ended_is_said_to_have(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token(T0 - 600))
    with pytest.raises(errors.Unauthorized, match="the token ended 10 min ago"):
        await opened(slurm(token="another"), auth=with_token(file)).read()


async def test_without_a_token_the_advice_is_to_get_one() -> None:
    with pytest.raises(errors.Unauthorized, match=r"401.*scontrol token"):
        await opened(slurm(token="wanted")).read()


async def test_the_user_is_the_token_s_unless_one_is_named(tmp_path: Path) -> None:
    seen: list[str | None] = []
    of, file = slurm(), tmp_path / "token"
    file.write_text(token(T0 + 3600, "sre"))
    respond = of.respond
    of.respond = lambda target, headers: (seen.append(headers.get("x-slurm-user-name")), respond(target, headers))[1]  # type: ignore[method-assign]
    await read(opened(of, auth=with_token(file)))
    await read(opened(of, auth=with_token(file), options={"user": "root"}))
    assert set(seen[:5]) == {"sre"}
    assert set(seen[5:]) == {"root"}


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        ((500, "Unspecified error"), errors.ServerFailed, "scontrol ping.*scontrol token"),
        ((200, "Protocol authentication error"), errors.Unauthorized, "Protocol authentication error"),
        ((500, "Unable to contact slurm controller (connect failure)"), errors.ServerFailed, "scontrol ping"),
        ((200, "Unable to contact slurm controller (connect failure)"), errors.ServerFailed, "scontrol ping"),
        ((500, "Rate limit exceeded, please retry"), errors.RateLimited, "cadence"),
        ((500, "Something else"), errors.ServerFailed, "Something else"),
    ],
)
async def test_every_refusal_says_what_it_means(
    refusal: tuple[int, str], kind: type[errors.SourceError], words: str
) -> None:
    source = opened(slurm(refusal=refusal))
    with pytest.raises(errors.SourceError, match=words) as caught:
        await read(source)
    assert type(caught.value) is kind
    assert str(caught.value).startswith("muc1/slurm: ")


async def test_one_list_that_fails_does_not_cost_the_other() -> None:
    of = slurm()
    respond, broken = of.respond, (500, "application/json", '{"errors": [{"error": "jobs are broken"}]}')
    of.respond = lambda target, headers: broken if target.endswith("/jobs") else respond(target, headers)  # type: ignore[method-assign]
    reading, parts = await read(opened(of))
    assert [type(part) for part in parts] == [NodeReportsPart, ReservationsPart]
    assert any("jobs are broken" in warning for warning in reading.warnings)


async def test_jobs_in_states_that_slurm_does_not_have_are_left_out_and_told() -> None:
    of = FakeSlurm(list(NODES_WANTED), [job(1, "DANCING"), job(2), job(3, "DANCING")])
    reading, parts = await read(opened(of))
    assert [each.id for each in parts[1].jobs] == ["2"]  # type: ignore[union-attr]
    assert reading.notes["left out"] == "jobs in states that Slurm does not have: 2 in DANCING"


async def test_the_cluster_may_be_named_by_the_fleet_file() -> None:
    _, parts = await read(opened(slurm(), options={"cluster": "alpha"}))
    assert {each.cluster for each in parts[1].jobs} == {"alpha"}  # type: ignore[union-attr]


async def test_an_idle_cluster_has_no_jobs() -> None:
    _, parts = await read(opened(FakeSlurm(list(NODES_WANTED), [])))
    assert parts[1].jobs == ()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["a\x1b[31mb", '"quoted" \\ {}],', "[bold]", "é🙂", "x" * 5000])
async def test_odd_names_are_read_as_they_are(name: str) -> None:
    rows = [job(i, name=name) for i in range(3)]
    _, parts = await read(opened(FakeSlurm(list(NODES_WANTED), rows)))
    assert [each.name for each in parts[1].jobs] == [name] * 3  # type: ignore[union-attr]


WHO = Who("muc1", "slurm")


def rows_of(content: bytes) -> list[str]:
    steps = JOBS.read(content, WHO)
    slices = 0
    while True:
        try:
            next(steps)
            slices += 1
        except StopIteration as stop:
            assert slices or len(content) < 4000
            return [row.name for row in stop.value.rows]


@pytest.mark.parametrize("pretty", [True, False])
@pytest.mark.parametrize("plain", [True, False])
def test_a_long_list_is_read_in_slices_and_whole(pretty: bool, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.sources.slurm.bodies.SLICE_BYTES", 3000)
    of = FakeSlurm([], [job(i) for i in range(200)], pretty=pretty, offers=("v0.0.38" if plain else "v0.0.41",))
    _, _, text = of.respond(f"http://x/slurm/{of.offers[0]}/jobs", {})
    assert rows_of(text.encode()) == [f"llm-{i}" for i in range(200)]


def test_a_row_within_a_row_that_looks_like_one_does_not_confuse() -> None:
    inner = [{"account": "x", "job_id": 9}, {"account": "y", "job_id": 8}]
    rows = [job(i, job_resources=inner, array_task_id=None, time_limit=None) for i in range(5)]
    content = json.dumps({"jobs": rows}).encode()
    assert [row.name for row in drained(JOBS.read(content, WHO)).rows] == [f"llm-{i}" for i in range(5)]


def drained(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def test_a_name_that_is_not_utf_8_costs_no_other() -> None:
    text = json.dumps({"jobs": [job(i, array_task_id=None, time_limit=None) for i in range(50)]}).encode()
    content = text.replace(b"llm-7", b"llm-\xff")
    assert [row.name for row in drained(JOBS.read(content, WHO)).rows][6:9] == ["llm-6", "llm-\ufffd", "llm-8"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"jobs": 3}', b'{"jobs": [{"job_id": 1}]}', b'{"jobs": [{"job_id": 1', b'{"nodes": []}']
)
def test_what_is_no_list_of_jobs_is_refused(content: bytes) -> None:
    with pytest.raises(errors.BadPayload, match="muc1/slurm: the answer is no list of jobs"):
        drained(JOBS.read(content, WHO))


def test_no_nodes_at_all_is_an_answer() -> None:
    assert drained(NODES.read(b'{"nodes": [], "errors": []}', WHO)).rows == []


async def test_a_reservation_tells_its_nodes_users_and_times(version: str) -> None:
    _, parts = await read(opened(slurm(offers=(version,), reservations=[reservation("maint")])))
    assert isinstance(parts[2], ReservationsPart)
    (told,) = parts[2].reservations
    assert (told.name, told.nodes, told.users) == ("maint", ("n1", "n2"), ("ada",))
    assert (told.start_at, told.end_at, told.flags) == (T0 - 1000, T0 + 2600, ("MAINT", "IGNORE_JOBS"))


def test_an_answer_without_its_list_is_refused_with_its_own_error() -> None:
    content = b'{"errors": [{"error": "No error", "description": "Failure to query node n9"}], "warnings": []}'
    with pytest.raises(errors.BadPayload, match="no list of nodes: No error: Failure to query node n9"):
        drained(NODES.read(content, Who("muc1", "slurm")))


async def test_reservations_are_asked_for_seldom_and_may_be_refused() -> None:
    of, clock = slurm(), Clock()
    source = opened(of, clock)
    for _ in range(RESERVATIONS_EVERY):
        await read(source)
        clock.now += 30
    assert len([path for path in of.asked if "/reservations" in path]) == 1
    respond = of.respond
    refused = (500, "application/json", '{"errors": [{"error": "not for you"}]}')
    of.respond = lambda target, headers: refused if "/reservations" in target else respond(target, headers)  # type: ignore[method-assign]
    reading, parts = await read(source)
    assert [type(part) for part in parts] == [NodeReportsPart, JobsPart]
    assert "not for you" in reading.notes["reservations"]
    assert reading.warnings == ()


async def test_how_a_job_ended_is_told_in_every_notation(version: str) -> None:
    plain = version == "v0.0.38"
    ends = [256, 9] if plain else [
        {"status": ["ERROR"], "return_code": {"set": True, "infinite": False, "number": 1},
         "signal": {"id": {"set": False, "infinite": False, "number": 0}, "name": ""}},
        {"status": ["SIGNALED"], "return_code": {"set": True, "infinite": False, "number": 0},
         "signal": {"id": {"set": True, "infinite": False, "number": 9}, "name": "KILL"}},
    ]  # fmt: skip
    words = {"restart_cnt": 2, "requeue": True, "standard_output": "/home/ada/1.out", "comment": "llm"}
    of = FakeSlurm(list(NODES_WANTED), [job(i, "FAILED", exit_code=end, **words) for i, end in enumerate(ends, 1)])
    of.jobs.append(job(3, "RUNNING", exit_code=ends[0]))
    of.offers = (version,)
    _, parts = await read(opened(of))
    assert isinstance(parts[1], JobsPart)
    first, second, running = parts[1].jobs
    assert (first.exit_code, first.exit_signal) == (1, 0)
    assert (second.exit_code, second.exit_signal) == (0, 9)
    assert (first.restarts, first.requeue, first.output, first.comment) == (2, True, "/home/ada/1.out", "llm")
    assert (running.exit_code, running.exit_signal, running.restarts) == (-1, -1, -1)
