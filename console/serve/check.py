"""Whether the serves of some sites do their work: one leads, is fresh, can write, and its heartbeat is taken.

Asked over the network, as a monitoring system would; it needs neither the engine nor the extra `serve`.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

from console.config.serve_values import ServeConfig
from console.config.values import SourceConfig, Timeouts
from console.model.errors import ConsoleError, UsageError
from console.model.events import CheckResult
from console.model.levels import Level, Severity
from console.model.values import dataclass
from console.sources.site_servers import links_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.config.values import FleetConfig, SiteConfig
    from console.link.http import HttpLink

NAME = "serve"
FRESH_S = 60.0
BEATS_MISSED = 3
LIMITS = Timeouts(connect_s=3.0, read_s=5.0, total_s=8.0)
NOT_FOUND = 404
_ORDER = (Severity.OK, Severity.WARNING, Severity.UNKNOWN, Severity.CRITICAL)


@dataclass(frozen=True)
class Said:
    """What one serve says at `where`: its `/ready`, or why it says nothing."""

    where: str
    told: Mapping[str, Any] | None
    error: str = ""


@dataclass(frozen=True)
class Finding:
    """How it is with a site's serve, in words."""

    severity: Severity
    text: str


def serve_check(config: FleetConfig, names: Sequence[str]) -> CheckResult:
    """Ask the serves of some sites and return the check; raises UsageError where no site has one."""
    sites = [site for site in config.sites if site.name in names]
    doors = {site.name: doors_of(site, config) for site in sites}
    if not any(doors.values()):
        raise UsageError("no site here is read from a serve, and none is told of under `serve:`; nothing to check")
    said = asyncio.run(_ask_all({site: links for site, links in doors.items() if links}))
    findings = {site: judge(site, answers) for site, answers in said.items()}
    return result_of({site: found for site, found in findings.items() if found is not None})


def doors_of(site: SiteConfig, config: FleetConfig) -> tuple[HttpLink, ...]:
    """Return the ways to a site's serves: those that the fleet reads it from, else the one that this file starts."""
    sources = [source for source in site.sources if source.kind == "site"]
    if not sources and config.serve != ServeConfig():
        sources = [_own(config)]
    return tuple(link for source in sources for link in links_of(site, source))


def _own(config: FleetConfig) -> SourceConfig:
    """Return the serve of this file as a source: its socket, what it advertises, or where it listens."""
    serve = config.serve
    scheme = "https" if serve.tls.cert_file else "http"
    place = serve.socket.path or serve.advertise or f"{scheme}://{serve.listen}"
    way: dict[str, Any] = {"url": place} if "://" in place else {"options": {"socket": place}}
    return SourceConfig("site", NAME, auth=serve.peer.auth, tls=serve.peer.tls, timeouts=LIMITS, **way)


async def _ask_all(doors: Mapping[str, Sequence[HttpLink]]) -> dict[str, list[Said]]:
    answers = await asyncio.gather(*(asyncio.gather(*map(_ask, links)) for links in doors.values()))
    return {site: list(said) for site, said in zip(doors, answers, strict=True)}


async def _ask(link: HttpLink) -> Said:
    where = link.endpoint.shown_url
    try:
        body = await link.ask("GET", "/ready")
        if body.status == NOT_FOUND:
            return Said(where, None, "")
        told = json.loads(body.content)
        return Said(where, told, "") if isinstance(told, dict) else Said(where, None, f"{where} is no serve")
    except ConsoleError as error:
        return Said(where, None, str(error))
    except ValueError:
        return Said(where, None, f"{where} answers {body.status}, not as a serve does")
    finally:
        await link.aclose()


def judge(site: str, said: Sequence[Said]) -> Finding | None:
    """Return how it is with a site's serves, None where what answers is no serve (an emulator)."""
    heard = [each for each in said if each.told is not None]
    errors = "; ".join(each.error for each in said if each.error)
    if not heard:
        return Finding(Severity.CRITICAL, f"{site}: no serve answers: {errors}") if errors else None
    leader = next((each.told for each in heard if each.told and each.told.get("role") == "leader"), None)
    if leader is None:
        roles = ", ".join(f"{each.where} is {_word(each.told, 'role')}" for each in heard)
        return Finding(Severity.CRITICAL, f"{site}: nobody leads ({roles}){f'; {errors}' if errors else ''}")
    if "sites" not in leader:
        return Finding(Severity.UNKNOWN, f"{site}: the serve tells us nothing: credentials are missing or refused")
    wrong = _wrong(site, leader)
    if wrong:
        return Finding(Severity.CRITICAL, f"{site}: {'; '.join(wrong)}")
    if errors:
        return Finding(Severity.WARNING, f"{site}: the leader is well, another serve is not: {errors}")
    return Finding(Severity.OK, f"{site}: {_word(leader, 'keeper')} leads")


def _wrong(site: str, leader: Mapping[str, Any]) -> list[str]:
    keeper, now = _word(leader, "keeper"), _number(leader.get("at"))
    mine = leader["sites"].get(site) if isinstance(leader["sites"], dict) else None
    if not isinstance(mine, dict):
        return [f"{keeper} does not serve it"]
    wrong: list[str] = []
    age_s = _number(mine.get("age_s"), math.inf)
    if age_s > FRESH_S:
        wrong.append(f"its data is {age_s:.0f} s old" if math.isfinite(age_s) else "it has no data")
    if not leader.get("writable"):
        memory = mine.get("memory")
        trouble = _word(memory, "trouble") if isinstance(memory, dict) else ""
        troubles = leader.get("troubles")
        first = str(troubles[0]) if isinstance(troubles, list) and troubles else ""
        wrong.append(f"its memory cannot be written: {trouble or first or 'it does not say why'}")
    heart = leader.get("heartbeat")
    if isinstance(heart, dict) and heart.get("wanted"):
        silent_s = now - _number(heart.get("sent_at"))
        if silent_s > BEATS_MISSED * _number(heart.get("every_s"), 60.0):
            wrong.append(f"its heartbeat is not taken: {_word(heart, 'trouble') or 'none was sent lately'}")
    return wrong


def result_of(findings: Mapping[str, Finding]) -> CheckResult:
    """Return findings by site as one check: sites that are not well are its matches."""
    worst = max((each.severity for each in findings.values()), key=_ORDER.index, default=Severity.UNKNOWN)
    bad = [site for site, each in findings.items() if each.severity in (Severity.WARNING, Severity.CRITICAL)]
    unknown = sum(each.severity is Severity.UNKNOWN for each in findings.values())
    told = [each.text for each in findings.values() if each.severity is not Severity.OK]
    text = "; ".join(told) or "; ".join(each.text for each in findings.values()) or "nothing that answers is a serve"
    return CheckResult(
        NAME, worst, len(bad), unknown, len(findings), 0.0, tuple(bad), text, level=Level.SITE, rows=False, title=NAME
    )


def _word(told: Mapping[str, Any] | None, key: str) -> str:
    return str((told or {}).get(key, ""))[:300]


def _number(value: object, missing: float = 0.0) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else missing
