from __future__ import annotations

import asyncio

import pytest

from console.config.values import SiteConfig, SourceConfig, Timeouts
from console.model.errors import RateLimited, Unreachable
from console.sources.site_bodies import Faults
from console.sources.site_inbox import Inbox
from console.sources.site_servers import Server, Servers, links_of, name_there

FAULTS = Faults("muc1", "src")


@pytest.mark.parametrize(
    ("told", "there"),
    [
        ("muc1", "hall"),
        ("muc1/h1/r1/n1", "hall/h1/r1/n1"),
        ("muc1/cdu:c0", "hall/cdu:c0"),
        ("node:muc1/n1", "node:hall/n1"),
        ("job:muc1/17@main", "job:hall/17@main"),
        ("site:muc1", "site:hall"),
        ("gpu:GPU-1", "gpu:GPU-1"),
        ("incident:muc1-1a2b3c4d", "incident:muc1-1a2b3c4d"),
        ("muc1-1a2b3c4d", "muc1-1a2b3c4d"),
        ("bcn1/h1", "bcn1/h1"),
        ("", ""),
    ],
)
def test_what_is_of_the_site_is_called_by_the_servers_name_and_nothing_else(told: str, there: str) -> None:
    assert name_there(told, "muc1", "hall") == there


def servers(url: str, *also: str, socket: str = "") -> Servers:
    options = {"also": also, **({"socket": socket} if socket else {})}
    config = SourceConfig("site", "src", url, options=options, timeouts=Timeouts(1, 1, 1))
    links = links_of(SiteConfig("muc1"), config)
    return Servers([Server(each, FAULTS, "muc1", lambda: 0.0) for each in links], FAULTS, limit_s=1.0)


@pytest.mark.parametrize(
    ("url", "address", "same"),
    [
        ("https://a.example:8470", "https://a.example:8470", True),
        ("https://a.example:8470/", "https://a.example:8470/site", True),
        ("https://a.example:8470", "https://b.example:8470", False),
        ("https://a.example:8470", "http://a.example:8470", False),
        ("https://a.example:8470", "", False),
        ("https://a.example:8470", "a.example:8470", False),
    ],
)
def test_a_leader_is_found_among_our_servers_by_its_address(url: str, address: str, same: bool) -> None:
    assert servers(url).all[0].is_at(address) is same


@pytest.mark.parametrize("address", ["/run/g.sock", "unix:/run/g.sock", "unix:///run/g.sock"])
def test_a_leader_may_be_at_a_socket(address: str) -> None:
    assert servers("", socket="/run/g.sock").all[0].is_at(address)
    assert not servers("https://a.example").all[0].is_at(address)


async def test_the_errors_of_all_servers_are_one_error_of_the_first() -> None:
    of = servers("https://a.example", "https://b.example")

    async def ask(server: Server) -> None:
        raise RateLimited("muc1", "src", f"{server.shown} is busy", "wait", 7.0)

    with pytest.raises(RateLimited) as caught:
        await of.first(ask)
    assert str(caught.value) == (
        "muc1/src: https://a.example is busy; https://b.example: https://b.example is busy; wait"
    )
    assert caught.value.retry_after_s == 7.0


async def test_the_one_that_was_read_last_is_asked_first_and_a_silent_one_last() -> None:
    of, asked = servers("https://a.example", "https://b.example", "https://c.example"), list[str]()
    down = {"https://a.example"}

    async def ask(server: Server) -> str:
        asked.append(server.shown[8])
        if server.shown in down:
            raise Unreachable("muc1", "src", "refused")
        return server.shown

    assert await of.first(ask) == "https://b.example"
    assert of.warning(of.current) == "https://a.example is not read (refused); https://b.example is, in its place"
    await of.first(ask)
    await of.first(ask, shunned=of.all[1])
    assert "".join(asked) == "ab" + "b" + "ac"
    of.home_is_back = True
    down.clear()
    assert await of.first(ask) == "https://a.example"
    assert of.warning(of.current) == ""
    await of.aclose()


async def test_a_server_that_hangs_leaves_time_for_the_next() -> None:
    of = servers("https://a.example", "https://b.example")

    async def ask(server: Server) -> str:
        if server is of.all[0]:
            await asyncio.Event().wait()
        return server.shown

    async with asyncio.timeout(5):
        assert await of.first(ask) == "https://b.example"
    await of.aclose()


def test_what_does_not_fit_empties_an_inbox_and_nothing_more_is_taken_until_it_begins_anew() -> None:
    inbox = Inbox(10)
    assert inbox.put(b"12345")
    assert inbox.put(b"12345")
    assert not inbox.put(b"1")
    assert (len(inbox), inbox.take(), inbox.lost) == (0, None, "2 records were not taken in time and are dropped")
    assert not inbox.put(b"1")
    inbox.begin_anew()
    assert inbox.put(b"1")
    assert (inbox.take(), inbox.lost) == (b"1", "")
