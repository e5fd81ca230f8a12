"""What `gigadeck doctor` looks at: plugins, themes, the terminal, every endpoint and every site, with what to do."""

from __future__ import annotations

import asyncio
import locale
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from console.model.errors import SourceError
from console.model.ports import Diagnosable, Source
from console.model.snapshot import SourceState
from console.model.values import dataclass
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.snapshot import SiteFrame, Snapshot, SourceStatus
    from console.wiring import Fleet

SKEW_LIMIT_S = 5.0
TEXT_LIMIT = 600
FIELDS = ("id", "state", "what", "advice")
MEMORIES = {"own": "our own", "serve": "that of a gigadeck serve", "none": "none"}
TELL_MORE = "--log-file tells more"


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `state` is ok, warning or failed; `advice` says what to do."""

    id: str
    state: str
    what: str
    advice: str = ""

    def as_row(self) -> dict[str, Any]:
        """Return the finding as a JSON-safe row."""
        return asdict(self)


def diagnose(fleet: Fleet, snapshot: Snapshot) -> list[Finding]:
    """Return everything that was looked at, in the order in which a fault would be looked for."""
    return [
        *_configuration(fleet),
        *_extensions(fleet),
        *_terminal(),
        *(finding for source in snapshot.sources for finding in _source(source, snapshot)),
        *(_site(site, snapshot) for site in snapshot.frame.sites),
        *_memories(snapshot),
        *(Finding("notice", "warning", notice) for notice in snapshot.notices),
    ]


def _configuration(fleet: Fleet) -> Iterator[Finding]:
    config = fleet.config
    if config is None:
        yield Finding("fleet", "ok", f"{fleet.name}: the built-in emulator")
        return
    sources = sum(len(site.sources) for site in config.sites)
    told = f"{config.path}: {len(config.sites)} sites, {sources} sources, {len(config.checks)} checks"
    yield Finding("fleet", "ok", told)
    for site in config.sites:
        if not site.sources:
            yield Finding(f"fleet/{site.name}", "warning", "has no sources", f"add one under sites.{site.name}.sources")


def _extensions(fleet: Fleet) -> Iterator[Finding]:
    from console.wiring import all_themes, user_settings

    broken = [info for info in fleet.host.plugins if info.state == "failed"]
    for info in broken:
        yield Finding(f"plugin/{info.id}", "failed", info.reason, f"mend or remove {info.origin}")
    yield Finding("plugins", "ok", f"{len(fleet.host.plugins) - len(broken)} plugins can be used")
    themes, theme_faults = all_themes()
    for fault in theme_faults:
        yield Finding("theme", "failed", str(fault), "mend the line that is named")
    yield Finding("themes", "ok", f"{len(themes)} themes can be used")
    for fault in user_settings()[1]:
        yield Finding("settings", "failed", str(fault), "mend the line that is named")


def _terminal() -> Iterator[Finding]:
    if not sys.stdout.isatty():
        yield Finding("terminal", "ok", "none: headless commands only")
        return
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") != "utf8":
        advice = "set LANG=C.UTF-8 (or any UTF-8 locale)"
        yield Finding("terminal", "warning", f"the locale's encoding is {encoding}: glyphs will be wrong", advice)
    size, term = os.get_terminal_size(), os.environ.get("TERM", "")
    small = size.columns < 80 or size.lines < 24
    state, advice = ("warning", "make the window at least 80x24") if small else ("ok", "")
    yield Finding("terminal", state, f"TERM={term or 'not set'}, {size.columns}x{size.lines}", advice)


def _source(source: SourceStatus, snapshot: Snapshot) -> Iterator[Finding]:
    name = f"{source.site}/{source.name}"
    if source.last_error or source.state in (SourceState.FAILING, SourceState.STALE, SourceState.STARTING):
        what, _, advice = source.last_error.removeprefix(f"{name}: ").partition("; ")
        state = "warning" if source.state is SourceState.STARTING and not source.last_error else "failed"
        yield Finding(name, state, what or f"{source.state.value}: no answer yet", advice or "try a longer --timeout")
        return
    yield Finding(name, "ok", _cost(source, snapshot.at))
    if source.clock_skew_s is not None and abs(source.clock_skew_s) > SKEW_LIMIT_S:
        told = f"its clock is {source.clock_skew_s:+.0f} s from this machine's"
        yield Finding(f"{name}/clock", "warning", told, "check NTP on both; ages are corrected meanwhile")
    for warning in source.warnings:
        yield Finding(f"{name}/warning", "warning", warning, "the answer was partial; ask who runs this server")


def _cost(source: SourceStatus, now: float) -> str:
    parts = [
        source.url,
        f"{source.latency_p50_s * 1000:.0f} ms",
        f"{source.requests} requests",
        f"{source.body_bytes / 1e6:.1f} MB",
        f"every {source.cadence_s:g} s",
    ]
    if source.data_at:
        parts.append(f"data {max(0.0, now - source.data_at):.0f} s old")
    if source.clock_skew_s is not None:
        parts.append(f"clock {source.clock_skew_s:+.1f} s")
    parts += [f"{name} {note}" for name, note in sorted(source.notes.items())]
    return ", ".join(parts)


async def costs(fleet: Fleet, snapshot: Snapshot, limit_s: float) -> list[Finding]:
    """Return what sources that can tell more say of themselves; those that answered are asked, all at once.

    The engine must be at rest: a sweep is measured. `limit_s` is for all of them together.
    """
    well = [(each.site, each.name) for each in snapshot.sources if each.last_ok_at and not each.last_error]
    asked = [(key, fleet.sources[key]) for key in well if key in fleet.sources]
    measured = [_cost_of(f"{key[0]}/{key[1]}", each, limit_s) for key, each in asked if isinstance(each, Diagnosable)]
    return list(await asyncio.gather(*measured))


async def _cost_of(name: str, source: Diagnosable, limit_s: float) -> Finding:
    try:
        async with asyncio.timeout(limit_s):
            said = dict(await source.diagnose())
    except TimeoutError:
        told = f"a full sweep did not end within {limit_s:g} s"
        return Finding(f"{name}/sweep", "warning", told, "try a longer --timeout; a sweep in the engine is spread out")
    except SourceError as error:
        what, _, advice = str(error).removeprefix(f"{name}: ").partition("; ")
        return Finding(f"{name}/sweep", "failed", what, advice)
    finally:
        if isinstance(source, Source):
            await source.aclose()
    advice = said.pop("advice", "")
    figures = ", ".join(f"{figure}: {text}" for figure, text in said.items())
    return Finding(
        f"{name}/sweep", "warning" if advice else "ok", clean(figures, TEXT_LIMIT), clean(advice, TEXT_LIMIT)
    )


def _site(site: SiteFrame, snapshot: Snapshot) -> Finding:
    expected, live = site.topology.gpus, int(site.reporting.sum())
    unjoined = sum(each.total for each in site.unjoined)
    told = f"{live:,} of {expected:,} GPUs report"
    if unjoined:
        names = ", ".join(_some_names(site))
        advice = f"add them to the inventory or map them under aliases: {names}"
        return Finding(site.site, "warning", f"{told}; {unjoined:,} names lead to no node", advice)
    if site.stale or not live:
        return Finding(site.site, "failed", told, "see its sources above")
    return Finding(site.site, "ok" if live == expected else "warning", told, "")


def _memories(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield who remembers incidents, acknowledgements and notes, each once, and whether it can be written."""
    if not snapshot.memories:
        yield Finding("memory", "warning", "nobody has told yet what is remembered", "try a longer --timeout")
    first = {(each.kind, each.where, each.trouble): each for each in reversed(snapshot.memories)}
    for memory in reversed(first.values()):
        sites = ", ".join(
            each.site for each in snapshot.memories if (each.kind, each.where) == (memory.kind, memory.where)
        )
        name = f"memory/{sites}" if len(first) > 1 else "memory"
        if memory.trouble:
            what, _, advice = memory.trouble.partition("; ")
            yield Finding(name, "failed", f"{MEMORIES[memory.kind]}, {memory.where}: {what}", advice or TELL_MORE)
        elif memory.kind == "none":
            yield Finding(name, "ok", f"{MEMORIES[memory.kind]}: it ends with the program")
        else:
            yield Finding(name, "ok", f"{MEMORIES[memory.kind]}, {memory.where}")


def _some_names(site: SiteFrame) -> Sequence[str]:
    """Return a few names of each source, for each has spellings of its own."""
    return [f"{clean(name, 80)} ({each.source})" for each in site.unjoined for name in each.names[:2]][:6]
