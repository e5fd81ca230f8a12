"""Readers of Kubernetes, alerts, kernel logs and BMCs; each returns how much it read."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import httpx
import msgspec
import yaml

from console.cli.check_formats import junit
from console.config.values import SourceConfig
from console.core.fault_log import FaultLog
from console.core.kernel_log import read_line
from console.model.events import AlertState, CheckResult
from console.model.levels import Severity
from console.model.reading import AlertsPart
from console.model.xid import XIDS, xid_of
from console.sources.alertmanager import AlertmanagerSource
from console.sources.kubernetes.kueue import work_row
from console.sources.kubernetes.nodes import is_bad
from console.sources.kubernetes.wire import WireWorkload
from tests.servers.kube import condition, node
from tests.support.kube_objects import RESOURCE, read_node, read_pod

if TYPE_CHECKING:
    from console.model.reading import Part
    from tests.payloads.index import Entry

AT = 1_790_000_000.0

# Kubernetes


def documents(text: str) -> list[dict[str, Any]]:
    """Return the objects that kubectl was given: what stands between heredoc marks, or else the whole text."""
    found: list[dict[str, Any]] = []
    for piece in [part.split("\nEOF")[0] for part in text.split("<<EOF\n")[1:]] or [text]:
        found += [each for each in yaml.safe_load_all(piece) if isinstance(each, dict) and "kind" in each]
    return found


def pods(entry: Entry) -> int:
    """Read every pod of a report; returns the GPUs that they ask for."""
    total = 0
    there = [each for each in documents(entry.text) if each["kind"] == "Pod"]
    assert there
    for each in there:
        row = read_pod(each)
        limits = [(one.get("resources") or {}).get("limits") or {} for one in each["spec"]["containers"]]
        asked = sum(int(one.get("nvidia.com/gpu", 0)) for one in limits)
        assert (row.gpus if row else 0) == asked
        total += asked
    return total


def pod(entry: Entry) -> int:
    row = read_pod(json.loads(entry.content))
    return 0 if row is None else row.gpus


def kube_node(entry: Entry) -> int:
    thing = yaml.safe_load(entry.text)
    row = read_node(thing)
    assert row.name == thing["metadata"]["name"]
    assert row.gpus == int(thing["status"]["capacity"].get("nvidia.com/gpu", -1))
    assert row.state.state == ("Ready" if thing["status"].get("conditions") else "Unknown")
    return 1


def workload(entry: Entry) -> int:
    """Read a Kueue workload, or the part of one that its documents show; returns 1."""
    text = entry.text.replace(" // in 14h, which is approx midnight", "").partition("# In this")[0]
    thing = yaml.safe_load("\n".join(line for line in text.splitlines() if line.strip() != "..."))
    assert thing.get("kind", "Workload") == "Workload"
    thing = {"metadata": {"name": "w", "namespace": "team"}, **thing}
    row = work_row(msgspec.convert(thing, WireWorkload), RESOURCE)
    assert (row.name, row.over, row.gpus) == (thing["metadata"]["name"], False, 0)
    for each in thing.get("status", {}).get("conditions", []):
        assert row.reason == f"{each['reason']}: {' '.join(each['message'].split())}"
    return 1


def health_event(entry: Entry) -> int:
    """Read a health event as NVSentinel tells it on: as a condition of its node."""
    return _event(json.loads(entry.content))


def _event(event: dict[str, Any]) -> int:
    event = event.get("data", {}).get("healthEvent", event)
    status = "False" if event["isHealthy"] else "True"
    message = f"[{', '.join(event['errorCode'])}] {event['message']}"
    told = [condition("Ready", "True"), condition(event["checkName"], status, "Unhealthy", message)]
    row = read_node(node(event["nodeName"], conditions=told))
    assert row.state.has(event["checkName"]) == event["isFatal"]
    assert row.reason is not None
    assert message in row.reason.text
    codes = [int(found) for code in event["errorCode"] for found in re.findall(r"\d+$", code)]
    assert all(xid_of(code).code in XIDS for code in codes)
    return len(codes)


def documented_event(entry: Entry) -> int:
    """Read the health event that a document shows."""
    (shown,) = re.findall(r"```json\n(\{.*?\n\})\n```", entry.text, re.DOTALL)
    return _event(json.loads(shown))


def sentinel_names(entry: Entry) -> int:
    """Hold our reading of conditions and taints against the names in NVSentinel's documents."""
    kinds = set(re.findall(r"^- `(\w+(?:Watch|Error|Maintenance))`", entry.text, re.MULTILINE))
    assert all(is_bad(kind, "True") and not is_bad(kind, "False") for kind in kinds)
    taints = re.findall(r"^\| `(nvidia\.com/[\w-]+)`\s*\| `(\w+)`\s*\| `(\w+)`", entry.text, re.MULTILINE)
    for key, value, effect in taints:
        row = read_node(node("n1", taints=[{"key": key, "value": value, "effect": effect}]))
        assert f"{key}={value}:{effect}" in row.state.text
    assert kinds
    assert taints
    return len(kinds) + len(taints)


# Alertmanager


def _alerts(alerts: bytes, silences: bytes) -> AlertsPart:
    def respond(request: httpx.Request) -> httpx.Response:
        content = silences if request.url.path.endswith("/silences") else alerts
        return httpx.Response(200, content=content, headers={"content-type": "application/json"})

    async def turn() -> list[Part]:
        config = SourceConfig("alertmanager", "pager", "http://am.example")
        source = AlertmanagerSource("lab", config, transport=httpx.MockTransport(respond))
        try:
            return list((await source.read()).decode())
        finally:
            await source.aclose()

    (part,) = [each for each in asyncio.run(turn()) if isinstance(each, AlertsPart)]
    return part


def alert_groups(entry: Entry) -> int:
    told = {each["fingerprint"]: each for group in json.loads(entry.content) for each in group["alerts"]}
    silences = entry.path.with_name(entry.path.name.replace("alerts_groups", "silences")).read_bytes()
    found = _alerts(entry.content, silences).alerts
    assert {each.id for each in found} == told.keys()
    for each in found:
        assert dict(each.labels) == told[each.id]["labels"]
        assert (each.state is AlertState.SILENCED) == bool(told[each.id]["status"]["silencedBy"])
    return len(found)


def silences(entry: Entry) -> int:
    """Read silences through alerts that name them."""
    told = json.loads(entry.content)
    status = {"state": "suppressed", "silencedBy": [each["id"] for each in told], "inhibitedBy": []}
    alerts = json.dumps([{"labels": {"alertname": "x"}, "status": status}]).encode()
    (alert,) = _alerts(alerts, entry.content).alerts
    for words, each in zip(alert.silenced_by, told, strict=True):
        assert words.startswith(f"{each['createdBy']} until {each['endsAt'][:10]}")
        assert each["comment"] in words
    return len(told)


def no_alerts(entry: Entry) -> AlertsPart:
    return _alerts(entry.content, b"[]")


def junit_form(entry: Entry) -> int:
    """Hold the reports that we write against a real one: the same elements, and no attribute that it has not."""
    report = ElementTree.fromstring(entry.content)
    theirs: dict[str, set[str]] = {}
    for each in report.iter():
        theirs.setdefault(each.tag, set()).update(each.attrib)
    kinds = (Severity.OK, Severity.UNKNOWN)
    ours = ElementTree.fromstring(junit([CheckResult(kind, kind, 1, 0, 8, AT, (), "why") for kind in kinds]).encode())
    found = list(ours.iter())
    assert all(each.attrib.keys() <= theirs[each.tag] for each in found)
    assert [each.tag for each in found] == ["testsuites", "testsuite", "testcase", "testcase", "skipped"]
    return len(found)


# Kernel logs

XID = re.compile(
    r"(?:NVRM: Xid \((?:PCI:)?[0-9a-f:.]+\): (\d+)|SXid \(PCI:[0-9a-f:.]+\): (\d+)|NVSwitch \S+ error (\d+))"
)


def kernel_log(entry: Entry) -> int:
    """Read each line: every one with an address and a code is a fault with that code, and no other is."""
    log, found = FaultLog("lab", "n1", "logs"), 0
    for line in entry.text.splitlines():
        expected = XID.search(line)
        fault = read_line(line, now=AT)
        if expected is None:
            assert fault is None, line
            continue
        assert fault is not None, line
        assert str(fault.code) == next(code for code in expected.groups() if code)
        assert fault.severity is Severity.UNKNOWN or fault.kind == "sxid" or fault.code in XIDS
        if re.match(r"\[\w{3} .*\d{4}|kern ", line):
            assert 1.7e9 < fault.at < AT
        log.feed(line, AT)
        found += 1
    return found


def xid_catalogue(entry: Entry) -> int:
    with entry.path.open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    for row in rows:
        assert XIDS[int(row["code"])].action == row["immediate"], row["code"]
    return len(rows)


def xid_numbers(entry: Entry) -> int:
    """Find every number of the driver's header in our table; 0 is no fault."""
    with entry.path.open() as lines:
        codes = {int(row["code"]) for row in csv.DictReader(lines, delimiter="\t")} - {0}
    assert codes - XIDS.keys() == set()
    return len(codes)
