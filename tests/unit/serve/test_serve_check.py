from __future__ import annotations

from typing import Any

import pytest

from console.config.serve_values import ServeConfig, SocketConfig
from console.config.values import FleetConfig, SiteConfig, SourceConfig
from console.model.errors import UsageError
from console.model.levels import Severity
from console.serve.check import Said, doors_of, judge, result_of, serve_check

NOW = 1000.0


def told(role: str = "leader", *, age_s: float | None = 1.0, trouble: str = "", **more: Any) -> Said:
    answer = {
        "at": NOW,
        "role": role,
        "keeper": "host1",
        "writable": not trouble,
        "sites": {"muc1": {"age_s": age_s, "memory": {"kind": "own", "trouble": trouble}}},
        "heartbeat": {"wanted": False, "every_s": 60.0, "sent_at": None, "trouble": ""},
        "troubles": [],
        **more,
    }
    return Said("http://one", answer)


def heart(sent_at: float | None, trouble: str = "") -> dict[str, Any]:
    return {"wanted": True, "every_s": 60.0, "sent_at": sent_at, "trouble": trouble}


GONE = Said("http://two", None, "muc1/serve: nobody listens at http://two")


@pytest.mark.parametrize(
    ("said", "severity", "words"),
    [
        ([told()], Severity.OK, "host1 leads"),
        ([told(), told("follower")], Severity.OK, "host1 leads"),
        ([told(), GONE], Severity.WARNING, "another serve is not"),
        ([GONE], Severity.CRITICAL, "no serve answers"),
        ([told("follower")], Severity.CRITICAL, "nobody leads"),
        ([told("waiting")], Severity.CRITICAL, "nobody leads"),
        ([told(age_s=61.0)], Severity.CRITICAL, "61 s old"),
        ([told(age_s=None)], Severity.CRITICAL, "no data"),
        ([told(trouble="disk full")], Severity.CRITICAL, "cannot be written: disk full"),
        ([told(sites={})], Severity.CRITICAL, "does not serve it"),
        ([told(heartbeat=heart(NOW - 100))], Severity.OK, "leads"),
        ([told(heartbeat=heart(NOW - 181))], Severity.CRITICAL, "none was sent lately"),
        ([told(heartbeat=heart(None, "am1 answers 500"))], Severity.CRITICAL, "am1 answers 500"),
        ([Said("http://one", {"ready": True, "role": "leader"})], Severity.UNKNOWN, "credentials"),
    ],
)
def test_how_it_is_with_a_site(said: list[Said], severity: Severity, words: str) -> None:
    found = judge("muc1", said)
    assert found is not None
    assert found.severity is severity
    assert words in found.text


def test_an_emulator_is_no_serve() -> None:
    assert judge("muc1", [Said("http://emulator", None)]) is None
    assert result_of({}).severity is Severity.UNKNOWN


def test_critical_beats_unknown_beats_warning() -> None:
    bad = {"a": judge("a", [GONE]), "b": judge("muc1", [Said("x", {"role": "leader"})]), "c": judge("muc1", [told()])}
    result = result_of({site: found for site, found in bad.items() if found})
    assert (result.severity, result.paths, result.unknown, result.expected) == (Severity.CRITICAL, ("a",), 1, 3)


def test_serves_are_those_a_site_is_read_from_else_the_one_of_this_file() -> None:
    attached = SiteConfig("a", sources=(SourceConfig("site", "s", "http://h:1", options={"also": ("/run/two.sock",)}),))
    own = SiteConfig("b", sources=(SourceConfig("prometheus", "p", "http://p"),))
    config = FleetConfig("f", sites=(attached, own), serve=ServeConfig(socket=SocketConfig("/run/one.sock")))
    assert [link.endpoint.socket or link.endpoint.url for link in doors_of(attached, config)] == [
        "http://h:1",
        "/run/two.sock",
    ]
    assert [link.endpoint.socket for link in doors_of(own, config)] == ["/run/one.sock"]
    with pytest.raises(UsageError, match="nothing to check"):
        serve_check(FleetConfig("f", sites=(own,)), ["b"])
