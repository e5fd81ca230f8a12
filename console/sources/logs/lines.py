"""Log lines as stores hand them out: when, of which node, and the kernel's own words whatever wraps them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from console.core.spellings import NODE, WITH_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LINE = 4000
LONGEST_NAME = 256
# Collectors' names of a node beside those of exporters: journald's own field, and what OpenTelemetry calls a host.
NODE_LABELS = (*NODE, "_HOSTNAME", "hostName", "host_name", "host.name", "k8s_node_name", "k8s.node.name", "nodeName")
MESSAGES = ("MESSAGE", "message", "msg", "_msg", "body", "log", "line")
# "May 19 07:08:57 n0001 kernel: ...", also with a priority before it or an RFC 3339 time.
_SYSLOG = re.compile(r"^(?:<\d+>)?(?:[A-Z][a-z]{2} +\d+ [\d:]{8}|\d{4}-\d\d-\d\dT\S+) (?P<host>[\w.\-]+) kernel\b")


class LogLine(NamedTuple):
    """One line: `at_ns` UTC epoch nanoseconds, the node as that store spells it (empty: not told), the text."""

    at_ns: int
    node: str
    text: str


def log_line(at_ns: int, labels: Mapping[str, object], text: str, node_label: str = "") -> LogLine:
    """Return a line of a stream with these labels; `node_label` names the one that says which node it is."""
    text, fields = unwrapped(text[:LONGEST_LINE])
    node = node_of(labels, node_label) or node_of(fields, node_label)
    if not node:
        found = _SYSLOG.match(text)
        node = found["host"] if found else ""
    return LogLine(at_ns, node[:LONGEST_NAME], text)


def node_of(labels: Mapping[str, object], node_label: str = "") -> str:
    """Return the node that labels name, empty where none does."""
    name = label_of(labels, node_label)
    told = labels.get(name) if name else ""
    if not isinstance(told, str):
        return ""
    return _without_port(told) if name in WITH_PORT else told


def label_of(labels: Mapping[str, object], node_label: str = "") -> str:
    """Return which label names the node: the one that was asked for, else the first usual one."""
    return next((name for name in ((node_label,) if node_label else NODE_LABELS) if labels.get(name)), "")


def unwrapped(text: str) -> tuple[str, Mapping[str, object]]:
    """Return the message of a line that a collector wrapped in JSON, and its fields; any other line as it is."""
    if not text.startswith("{"):
        return text, {}
    try:
        fields = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeError):
        return text, {}
    said = next((fields[name] for name in MESSAGES if isinstance(fields.get(name), str)), None)
    return (said, fields) if isinstance(said, str) else (text, {})


def _without_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else text
