"""Whatever a client sends, a serve answers as its document has it: never a fault of ours, always words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.builtin_metrics import BUILTIN
from console.serve.app import make_app
from console.serve.hub import Hub
from tests.support.openapi import check
from tests.support.scripted_session import SITE, ScriptedSession
from tests.support.serving import StandInGate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = "application/json"
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
members = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=70) | anything,
        "kind": st.sampled_from(["note", "acknowledge", "save_view"]) | anything,
        "subject": st.text(max_size=30) | anything,
        "text": st.text(max_size=30) | anything,
        "stream": st.text(max_size=30) | anything,
        "path": st.text(max_size=30) | anything,
    },
)
words = st.sampled_from(["after", "limit", "rows", "level", "within", "metrics", "subject", "log", "stream"])
queries = st.dictionaries(words, st.text(st.characters(codec="utf-8"), max_size=20), max_size=4)


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[..., httpx.Response]]:
    """Ask a serve in this process; a fault of ours raises."""
    session: Any = ScriptedSession()
    session.start()
    hub = Hub(BUILTIN, keeper="k")
    hub.attach(session, [SITE])
    app = StandInGate(make_app(hub), everybody="ada")

    async def asked(method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
            return await client.request(method, path, **more)

    yield lambda *arguments, **more: asyncio.run(asked(*arguments, **more))
    asyncio.run(hub.aclose())


def held(answer: httpx.Response, *good: int) -> None:
    if answer.status_code in good:
        return
    assert 400 <= answer.status_code < 500, answer.text
    check("Error", answer.json())
    assert answer.json()["error"]


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=200), st.sampled_from(["deeds", "focus"]), st.sampled_from([JSON, "application/msgpack"]))
def test_any_bytes_for_a_body(ask: Callable[..., httpx.Response], body: bytes, route: str, kind: str) -> None:
    held(ask("POST", f"/site/v1/{SITE}/{route}", content=body, headers={"content-type": kind}))


@settings(deadline=None, max_examples=120)
@given(members | anything, st.sampled_from(["deeds", "focus"]))
def test_any_members_in_a_body(ask: Callable[..., httpx.Response], body: Any, route: str) -> None:
    content = msgspec.msgpack.encode(body) if not _has_big(body) else b"\xc1"
    answer = ask("POST", f"/site/v1/{SITE}/{route}", content=content, headers={"content-type": "application/msgpack"})
    held(answer, 200)


@settings(deadline=None, max_examples=120)
@given(queries, st.sampled_from(["telemetry", "events", "journal", "records", "info", "jobs"]), st.text(max_size=20))
def test_any_query(ask: Callable[..., httpx.Response], query: dict[str, str], route: str, accept: str) -> None:
    headers = {"accept": accept} if accept.isascii() and accept.isprintable() else {}
    held(ask("GET", f"/site/v1/{SITE}/{route}", params=query, headers=headers), 200)


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_any_name_for_a_site(ask: Callable[..., httpx.Response], name: str) -> None:
    held(ask("GET", f"/site/v1/{quote(name, safe='')}/info"), 200, 307)


def _has_big(value: Any) -> bool:
    """Whether there is a number that msgpack cannot hold."""
    if isinstance(value, dict):
        return any(_has_big(each) for each in value.values())
    if isinstance(value, list):
        return any(_has_big(each) for each in value)
    return isinstance(value, int) and not -(2**63) <= value < 2**64
