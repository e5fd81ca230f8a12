from __future__ import annotations

import json

import pytest

from console.config.values import SourceConfig
from console.model.errors import Unauthorized
from console.model.ports import Subject
from console.sources.slurm.source import SlurmSource
from console.sources.slurm.witness import is_unknown, names_of, show_script
from tests.support.fake_slurm import FakeSlurm, job, node

NODE = Subject("muc1", "muc1/h1/r1/n1", "n1.muc1.example", ("10.0.0.1", "n1"))


def opened(of: FakeSlurm) -> SlurmSource:
    return SlurmSource("muc1", SourceConfig("slurm", "slurm", "http://slurm"), transport=of.transport())


async def test_a_node_s_record_is_found_under_the_name_that_slurm_has() -> None:
    of = FakeSlurm([node("n1", "IDLE", "DRAIN", reason="bad fan"), node("n2")], [job(1)])
    source = opened(of)
    told = await source.record(NODE)
    assert json.loads(told)["reason"] == "bad fan"
    assert '\n  "name": "n1"' in told
    assert await source.record(Subject("muc1", "x", "n9", ("n8",))) == ""
    await source.aclose()


async def test_a_job_s_record_is_told_of_its_own_cluster_alone() -> None:
    source = opened(FakeSlurm([node("n1")], [job(7)]))
    list((await source.read()).decode())
    assert json.loads(await source.record(Subject("muc1", "job:muc1/7@muc", job="7")))["name"] == "llm-7"
    assert await source.record(Subject("muc1", "job:muc1/7@other", job="7")) == ""
    assert await source.record(Subject("muc1", "job:muc1/8", job="8")) == ""
    await source.aclose()


async def test_a_refusal_is_an_error_and_not_an_empty_record() -> None:
    source = opened(FakeSlurm([node("n1")], [], token="secret"))
    with pytest.raises(Unauthorized):
        await source.record(NODE)
    await source.aclose()


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        (NODE, [("node", "n1.muc1.example"), ("node", "10.0.0.1"), ("node", "n1")]),
        (Subject("a", "p", job="7_[1-8%2]"), [("job", "7")]),
        (Subject("a", "p", job="7_3"), [("job", "7_3"), ("job", "7")]),
        (Subject("a", "p", "../jobs", ("-x", "a b", "n;rm", "")), []),
        (Subject("a", "p"), []),
    ],
)
def test_slurm_is_asked_for_names_that_it_can_have(subject: Subject, names: list[tuple[str, str]]) -> None:
    assert list(names_of(subject)) == names


def test_scontrol_is_asked_for_one_name_after_the_other() -> None:
    script = show_script(NODE, "/opt/slurm/23.02/bin", "@@mark")
    assert "PATH=/opt/slurm/23.02/bin:$PATH" in script
    assert script.count("scontrol show node") == 3
    assert script.index("@@mark start") < script.index("scontrol show")
    assert show_script(Subject("a", "p", "../x"), "", "@@mark") == ""


@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        ("Node n9 not found", True),
        ("slurm_load_jobs error: Invalid job id specified", True),
        ("Invalid node name specified", True),
        ("Protocol authentication error", False),
        ("NodeName=n1 Arch=x86_64", False),
    ],
)
def test_what_slurm_does_not_know_is_told_from_what_it_refuses(said: str, unknown: bool) -> None:
    assert is_unknown(said) is unknown
