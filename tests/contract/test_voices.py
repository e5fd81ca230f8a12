from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from console.model.errors import SourceError
from console.model.ports import LogKeeper, Subject, Witness
from tests.support.kinds import KINDS, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from console.model.ports import Source

SUBJECTS = {
    "a node": Subject("lab", "lab/h1/r1/n1", "n1", ("n1.example", "10.0.0.1")),
    "a GPU": Subject("lab", "lab/h1/r1/n1/g3", "n1", gpu=3, uuid="GPU-509665ad-b600-ac93-3616-d754b23d636d"),
    "a job": Subject("lab", "job:lab/1", job="1", nodes=("n1",), output="/tmp/%j.out"),
    "a job that waits": Subject("lab", "job:lab/2", job="2"),
    "an odd name": Subject("lab", "lab/x", 'n"\\}|.*\x1b[31m/../..', ("..", "", "%2e%2e/jobs", "n1?x=1#y")),
    "nothing": Subject("lab", "lab"),
    "an odd job": Subject("lab", "job:lab/x", job="../nodes?x=1"),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[Source]:
    """A source of a kind that has been read once, with its server."""
    async with served(kind) as server:
        source = server.open(server.port)
        try:
            list((await source.read()).decode())
            yield source
        finally:
            await source.aclose()


async def told_by(source: Source, subject: Subject) -> str:
    """What a witness answers; its error must name site and source."""
    if not isinstance(source, Witness):
        return ""
    try:
        return await source.record(subject)
    except SourceError as error:
        return f"failed: {error.site}/{error.source}"


@pytest.mark.parametrize("what", SUBJECTS)
async def test_a_witness_answers_with_text_or_with_one_clear_error(kind: str, what: str) -> None:
    async with opened(kind) as source:
        told = await told_by(source, SUBJECTS[what])
        assert isinstance(told, str)
        assert told in (f"failed: {kind}/src", "") or not told.startswith("failed: ")


async def test_a_witness_that_has_not_been_read_yet_harms_nothing(kind: str) -> None:
    async with served(kind) as server:
        source = server.open(server.port)
        assert isinstance(await told_by(source, SUBJECTS["a node"]), str)
        await source.aclose()


async def test_a_witness_whose_server_is_gone_says_so_or_tells_what_it_heard_last(kind: str) -> None:
    async with served(kind) as server:
        source = server.open(server.port)
        list((await source.read()).decode())
        await source.aclose()
    assert isinstance(await told_by(source, SUBJECTS["a node"]), str)
    await source.aclose()


async def test_asking_for_a_record_does_not_disturb_the_reading(kind: str) -> None:
    async with opened(kind) as source:
        for subject in SUBJECTS.values():
            await told_by(source, subject)
        reading = await source.read()
        list(reading.decode())


@pytest.mark.parametrize("what", ["a job that waits", "nothing"])
async def test_a_keeper_without_a_log_of_something_ends_at_once(kind: str, what: str) -> None:
    async with opened(kind) as source:
        if not isinstance(source, LogKeeper):
            pytest.skip(f"{kind} keeps no logs")
        assert [line async for line in source.follow(SUBJECTS[what], 0.0)] == []
