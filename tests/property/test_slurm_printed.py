from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.sources.slurm.bodies import Who
from console.sources.slurm.jobs import JobBook
from console.sources.slurm.records import at, minutes, number, records, states
from console.sources.slurm.shown import Cluster, readers_of

JOB = (
    "JobId={id} JobName={name} UserId=ada(1000) GroupId=ml(100) MCS_label=N/A Priority=1 Nice=0 Account=ml QOS=hi "
    "JobState=RUNNING Reason=None Requeue=1 Restarts=0 ExitCode=0:0 TimeLimit=1-00:00:00 StartTime=Unknown "
    "Partition=gpu NodeList=n[1-2] NumNodes=2 NumTasks=2 TRES=cpu=1,gres/gpu=8 Command=(null) WorkDir=/w "
    "Comment={comment} StdErr=/e StdIn=/i StdOut=/o Power=\n"
)
WHO = Who("lab", "slurm")
READERS = readers_of(Cluster("22.05.8", "kit"))
# What Slurm keeps: no NUL; and no text that is, word for word, what only Slurm writes.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60).filter(
    lambda text: "MCS_label=" not in text and "JobName=" not in text
)


def rows(content: bytes) -> list[object]:
    steps = READERS.jobs.read(content, WHO)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return list(stop.value.rows)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=5))
def test_names_and_comments_hide_and_change_no_job(texts: list[tuple[str, str]]) -> None:
    content = "".join(JOB.format(id=i, name=name, comment=note) for i, (name, note) in enumerate(texts, 1)).encode()
    found = rows(content)
    assert [row.job_id for row in found] == list(range(1, len(texts) + 1))  # type: ignore[attr-defined]
    assert [row.name for row in found] == [name for name, _ in texts]  # type: ignore[attr-defined]
    assert all(row.job_state == "RUNNING" and row.nodes == "n[1-2]" for row in found)  # type: ignore[attr-defined]
    book = JobBook("", {})
    book.add(found)  # type: ignore[arg-type]
    assert len(book.part(0.0).jobs) == len(texts)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=40))
def test_anything_is_read_or_passed_over(before: bytes, after: bytes) -> None:
    import re

    content = before + b"\n" + JOB.format(id=7, name="x", comment="y").encode() + after
    texts = list(records(content, re.compile(rb"JobId=\d+ JobName="), b"JobId="))
    assert any("JobId=7 JobName=x" in text for text in texts)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_values_of_any_shape_are_values_or_none(text: str) -> None:
    assert at(text) >= 0
    assert minutes(text) is None or minutes(text) >= 0  # type: ignore[operator]
    assert number(text) is None or number(text) >= 0  # type: ignore[operator]
    assert isinstance(states(text), str)
