"""A BMC's event log: which log that is, its newest entries, and which of them are new; XIDs in its texts are XIDs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.core.fault_log import describe
from console.core.kernel_log import read_line
from console.model.errors import SourceError
from console.model.levels import Severity
from console.model.xid import xid_of
from console.sources.redfish.resources import epoch_s, link, listed, name_of, text
from console.sources.redfish.values import LogEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.sources.redfish.asker import Asker
    from console.sources.redfish.resources import Resource

PAGE = 50
MOST_LOGS = 2
MOST_NEW = 20
# What happened before the first visit and is not older than this is still news.
FIRST_LOOK_S = 3600.0
CLOCK_AHEAD_S = 300.0
# In order of preference; Lclog (iDRAC) holds what its SEL holds and every login besides.
_LOGS = ("EventLog", "SEL", "Sel", "IML", "IEL", "Log1", "Event", "Log", "Lclog")
_NO_LOG = re.compile(r"dump|journal|post|crash|audit|debug|console|telemetry|hostlogger", re.IGNORECASE)
_XID = re.compile(r"\bxid[\s:=#]*(?P<code>[0-9]{1,4})\b", re.IGNORECASE)
_LEAK = re.compile(r"\bleak(age|s|ing|ed)?\b|leak ?detect", re.IGNORECASE)
_SEVERITIES = {"critical": Severity.CRITICAL, "warning": Severity.WARNING, "ok": Severity.INFO}


@dataclass(eq=False)
class Mark:
    """How far a log was read: the newest time and the highest number; `skip` is how many entries were older."""

    at: float = 0.0
    number: int = -1
    skip: int = 0
    plain: bool = False
    begun: bool = False


async def entries_of(asker: Asker, owners: Iterable[Resource]) -> tuple[str, ...]:
    """Return the paths of the entries of the event logs, the best one of each system and manager."""
    found: dict[str, None] = {}
    for owner in owners:
        services = await asker.members(link(owner, "LogServices")) or []
        ranked = sorted((each for each in services if _rank(each) >= 0), key=_rank)
        path = next((path for each in ranked if (path := link(each, "Entries"))), "")
        if path:
            found[path] = None
    return tuple(found)[:MOST_LOGS]


def _rank(service: Resource) -> int:
    name = text(service.get("Id")) or name_of(link(service, "@odata.id"))
    if _NO_LOG.search(name) or service.get("ServiceEnabled") is False:
        return -1
    kind = service.get("LogEntryType")
    return _LOGS.index(name) if name in _LOGS else len(_LOGS) if kind in ("SEL", "Event") else -1


async def newest(asker: Asker, path: str, mark: Mark) -> list[LogEntry]:
    """Return the last entries, oldest first; raises SourceError for what ends the visit."""
    page = await _page(asker, path, mark)
    if page is None:
        return []
    rows = listed(page.get("Members"))
    count = page.get("Members@odata.count")
    total = count if isinstance(count, int) else len(rows)
    if rows and _ascending(rows) and total > mark.skip + len(rows):
        # The oldest come first: look at the end, and next time there at once.
        mark.skip = max(0, total - PAGE)
        page = await asker.get(f"{path}?$skip={mark.skip}")
        rows = listed((page or {}).get("Members"))
    elif not rows and mark.skip:
        mark.skip = 0  # it was cleared
        page = await _page(asker, path, mark)
        rows = listed((page or {}).get("Members"))
    entries = [_entry(each) for each in rows]
    return sorted(entries, key=lambda each: (each.at, _number(each.id)))[-PAGE:]


async def _page(asker: Asker, path: str, mark: Mark) -> Resource | None:
    if mark.plain:
        return await asker.get(path)
    try:
        return await asker.need(f"{path}?$skip={mark.skip}" if mark.skip else f"{path}?$top={PAGE}")
    except SourceError as error:
        asker.check(error)
        mark.plain, mark.skip = True, 0
        return await asker.get(path)


def _ascending(rows: Sequence[Resource]) -> bool:
    first, last = _entry(rows[0]), _entry(rows[-1])
    return (first.at, _number(first.id)) < (last.at, _number(last.id))


def _number(text_id: str) -> int:
    return int(text_id[:18]) if text_id[:18].isascii() and text_id[:18].isdigit() else -1


def _entry(row: Resource) -> LogEntry:
    said = text(row.get("Message")) or text(row.get("MessageId")) or text(row.get("Name"))
    severity = str(row.get("Severity") or row.get("MessageSeverity") or "").lower()
    at = epoch_s(row.get("Created") or row.get("EventTimestamp"))
    return LogEntry(at, _SEVERITIES.get(severity, Severity.INFO), said, text(row.get("Id")))


def fresh(entries: Sequence[LogEntry], mark: Mark, now: float) -> tuple[LogEntry, ...]:
    """Return the entries that are new since the last time, at most 20, and move the mark.

    A log that was cleared counts its entries anew; a BMC's clock may be wrong: either time or number makes news.
    """
    numbers = [_number(each.id) for each in entries]
    if max(numbers, default=-1) < mark.number:
        mark.number = -1 if not entries or max(each.at for each in entries) > mark.at else mark.number
    if mark.begun:
        news = [e for e, n in zip(entries, numbers, strict=True) if e.at > mark.at or n > mark.number >= 0]
    else:
        news = [each for each in entries if now - FIRST_LOOK_S <= each.at <= now + CLOCK_AHEAD_S]
    mark.begun = True
    mark.at = max([mark.at, *(each.at for each in entries)])
    mark.number = max([mark.number, *numbers])
    return tuple(news[-MOST_NEW:])


def meaning(entry: LogEntry, now: float) -> tuple[str, Severity, str]:
    """Return kind, severity and text of the event that an entry makes."""
    fault = read_line(entry.text, now=now)
    if fault is not None:
        return fault.kind, fault.severity, describe(fault)
    found = _XID.search(entry.text)
    if found is not None:
        xid = xid_of(int(found["code"]))
        return "xid", max(xid.severity, entry.severity, key=lambda each: each.rank), f"{entry.text}; {xid.advice}"
    if entry.severity is not Severity.INFO and _LEAK.search(entry.text):
        return "leak", Severity.CRITICAL, entry.text
    return "bmc_log", entry.severity, entry.text
