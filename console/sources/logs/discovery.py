"""Finds out which store answers, and which streams of a Loki are kernel logs, where the fleet file does not say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from console.model.errors import BadPayload, NotOffered, SourceError
from console.sources.logs.lines import NODE_LABELS
from console.sources.logs.stores import Loki, VictoriaLogs
from console.sources.prometheus.promql import quote

if TYPE_CHECKING:
    from console.link.http import HttpLink
    from console.sources.logs.stores import Store

LABELS = "/loki/api/v1/labels"
# Labels that usual collectors (Promtail, Alloy, Vector, Fluent Bit, OpenTelemetry) give kernel lines, and their values.
KERNEL_LABELS = (
    "transport", "journal_transport", "_TRANSPORT", "syslog_identifier", "SYSLOG_IDENTIFIER", "identifier", "appname",
    "app_name", "facility", "unit", "job", "service_name",
)  # fmt: skip
_KERNEL = re.compile(r"kern(el)?|dmesg", re.IGNORECASE)
_MIXED = re.compile(r".*(kern|dmesg|journal|syslog|messages).*", re.IGNORECASE)
_strings = msgspec.json.Decoder(dict[str, object])


async def find_store(link: HttpLink, flavour: str, selector: str, node_label: str, start_ns: int) -> Store:
    """Return the store that answers at a link, as it was since `start_ns`; raises SourceError."""
    if flavour == "victorialogs":
        return VictoriaLogs(selector, node_label)
    try:
        names = await _names(link, LABELS, start_ns)
    except SourceError as error:
        missing = type(error) in (SourceError, NotOffered, BadPayload)
        if flavour == "loki" or not missing:
            raise
        await _check_victoria(link, error, start_ns)
        return VictoriaLogs(selector, node_label)
    known = next((name for name in NODE_LABELS if name in names), "")
    chosen = selector or await _kernel_selector(link, names, start_ns)
    return Loki(chosen, node_label, known_label=known)


async def _check_victoria(link: HttpLink, error: SourceError, start_ns: int) -> None:
    """Raise the error of a server that is no VictoriaLogs either; that answers with names even where it is empty."""
    try:
        body = await link.get("/select/logsql/field_names", {"query": "*", "start": str(start_ns)})
        is_one = isinstance(_strings.decode(body.content).get("values"), list)
    except (SourceError, msgspec.MsgspecError, UnicodeDecodeError):
        is_one = False
    if not is_one:
        text = f"neither a Loki nor a VictoriaLogs answers: {error.message}"
        advice = "is `url` the store itself, with its path prefix? `flavor: loki` or `victorialogs` skips the search"
        raise type(error)(error.site, error.source, text, advice)


async def _kernel_selector(link: HttpLink, names: list[str], start_ns: int) -> str:
    """Return a selector of kernel logs: streams of the kernel alone, else those that hold its lines among others."""
    mixed = ""
    for name in (each for each in KERNEL_LABELS if each in names):
        values = await _names(link, f"/loki/api/v1/label/{name}/values", start_ns)
        own = sorted(value for value in values if _KERNEL.fullmatch(value))
        if own:
            return f"{{{name}=~{quote('|'.join(own))}}}"
        among = sorted(value for value in values if _MIXED.fullmatch(value))
        if among and not mixed:
            mixed = f"{{{name}=~{quote('|'.join(map(re.escape, among[:20])))}}}"
    if mixed:
        return mixed
    told = ", ".join(names[:20]) or "none"
    endpoint = link.endpoint
    raise NotOffered(
        endpoint.site,
        endpoint.source,
        f"no stream of this Loki looks like kernel logs; its labels of the last hour are: {told}",
        'set `selector`, such as {job="systemd-journal"}; a multi-tenant Loki needs `tenant`',
    )


async def _names(link: HttpLink, path: str, start_ns: int) -> list[str]:
    body = await link.get(path, {"start": str(start_ns)})
    try:
        answer = _strings.decode(body.content)
        data = answer.get("data") or []
        if answer.get("status") != "success" or not isinstance(data, list):
            raise ValueError("it has no list of names")
        return [each for each in data if isinstance(each, str)]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        endpoint = link.endpoint
        text = f"the list of labels cannot be read: {' '.join(str(error).split())[:120]}"
        raise BadPayload(endpoint.site, endpoint.source, text, "is `url` a Loki or a VictoriaLogs?") from None
