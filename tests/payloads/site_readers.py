"""Readers of schedulers, alerts, kernel logs and BMCs; each returns how much it read."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import yaml

from console.config.values import SourceConfig
from console.core.fault_log import FaultLog
from console.core.kernel_log import read_line
from console.model.events import AlertState
from console.model.jobs import JobState
from console.model.levels import Severity
from console.model.reading import AlertsPart, JobsPart, NodeReportsPart, ReservationsPart
from console.model.xid import XIDS, xid_of
from console.sources.alertmanager import AlertmanagerSource
from console.sources.kubernetes.kueue import work_row
from console.sources.kubernetes.nodes import is_bad
from console.sources.kubernetes.wire import WireWorkload
from console.sources.slurm.bodies import Who
from console.sources.slurm.diag import read_diag
from console.sources.slurm.gres import gpus
from console.sources.slurm.nodelist import names
from console.sources.slurm.records import minutes, states
from console.sources.slurm.shown import Cluster, readers_of
from console.sources.slurm.source import SlurmSource
from tests.servers.kube import condition, node
from tests.support.kube_objects import RESOURCE, read_node, read_pod

if TYPE_CHECKING:
    from console.model.reading import Part
    from tests.payloads.index import Entry

AT = 1_790_000_000.0

# Slurm

LISTS = ("nodes", "jobs", "reservations")


def _slurm(entry: Entry, *lists: str) -> list[Part]:
    """Read a turn of a slurmrestd that answers some lists with a file, and the status that it was captured with."""
    status = 200
    codes = entry.path.with_name("status.json")
    if codes.is_file():
        status = json.loads(codes.read_bytes()).get(entry.path.stem, {}).get("status", 200)
    kind = "application/json" if entry.path.suffix == ".json" else "text/plain"

    def respond(request: httpx.Request) -> httpx.Response:
        what = request.url.path.rpartition("/")[2]
        if request.url.path.startswith("/openapi"):
            return httpx.Response(200, json={"paths": {f"/slurm/v0.0.41/{each}/": {} for each in ("nodes", "jobs")}})
        if what in lists:
            return httpx.Response(status, content=entry.content, headers={"content-type": kind})
        return httpx.Response(404) if what == "diag" else httpx.Response(200, json={what: [], "errors": []})

    return asyncio.run(_turn(respond))


async def _turn(respond: Any) -> list[Part]:
    config = SourceConfig("slurm", "slurm", "http://slurm.example")
    source = SlurmSource("lab", config, transport=httpx.MockTransport(respond))
    try:
        reading = await source.read()
        parts = list(reading.decode())
        failed = [text for text in reading.warnings if "lab/slurm" in text]
        assert not failed
        assert "not known" not in reading.notes.get("reservations", "")
        return parts
    finally:
        await source.aclose()


def slurm_jobs(entry: Entry) -> int:
    expected = json.loads(entry.content)["jobs"]
    (part,) = [each for each in _slurm(entry, "jobs") if isinstance(each, JobsPart)]
    assert len(part.jobs) == len(expected)
    for job, nodes, masks, row in zip(part.jobs, part.node_lists, part.gpu_masks, expected, strict=True):
        words = row["job_state"]
        assert job.state.value in ([words] if isinstance(words, str) else words)
        assert (job.name, job.user, job.partition) == (row["name"], row["user_name"], row["partition"])
        assert len(masks) == len(nodes)
        if "gpus" in entry.name:
            assert job.gpus > 0
            held = sum(mask.bit_count() for mask in masks)
            assert held == (job.gpus if job.state is JobState.RUNNING else 0)
    return len(part.jobs)


def slurm_nodes(entry: Entry) -> int:
    expected = json.loads(entry.content)["nodes"]
    (part,) = [each for each in _slurm(entry, "nodes") if isinstance(each, NodeReportsPart)]
    assert list(part.keys.names) == [row["name"] for row in expected]
    for place, row in enumerate(expected):
        state = part.states[part.codes[place]]
        words = [row["state"], *row["state_flags"]] if isinstance(row["state"], str) else row["state"]
        assert {state.state, *state.flags} == {word.upper() for word in words}
        assert bool(part.gpus[place]) == ("gpu" in row["gres"])
    return len(part.keys)


def slurm_reservations(entry: Entry) -> int:
    expected = json.loads(entry.content)["reservations"]
    (part,) = [each for each in _slurm(entry, "reservations") if isinstance(each, ReservationsPart)]
    assert [each.name for each in part.reservations] == [row["name"] for row in expected]
    assert [len(each.nodes) for each in part.reservations] == [row["node_count"] for row in expected]
    return len(part.reservations)


def slurm_diag(entry: Entry) -> int:
    diag = read_diag(entry.content, "root")
    assert diag.at == json.loads(entry.content)["statistics"]["req_time"]
    return len(diag.notes)


def slurm_refused(entry: Entry) -> list[Part]:
    """Give every list the same answer."""
    return _slurm(entry, *LISTS)


def scontrol(entry: Entry) -> list[object]:
    """Take what commands print for a list of nodes, as the reader of scontrol does."""
    steps = readers_of(Cluster()).nodes.read(entry.content, Who("lab", "slurm"))
    while True:
        next(steps)


def partitions(entry: Entry) -> int:
    """Expand the host lists of partitions, and count their GPUs, as the file itself does."""
    rows = entry.text.splitlines()
    for row in rows:
        fields = dict(each.partition("=")[::2] for each in row.split(" "))
        there = names(fields["Nodes"])
        assert len(there) == int(fields["TotalNodes"])
        assert all(name.startswith("node") and name[4:].isdigit() for name in there)
        if "TRES" in fields:
            assert gpus(fields["TRES"])[0] == int(fields["TRES"].rpartition("gres/gpu=")[2])
    return len(rows)


def sinfo(entry: Entry) -> int:
    """Read states and GRES in the rows of sinfo, whatever columns a site has it print."""
    found = 0
    for row in entry.text.splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        for there, used in zip(cells, [*cells[1:], ""], strict=True):
            if there.startswith("gpu:") and (total := gpus(there)[0]):
                found += total
                assert there.partition("(")[0].endswith(f":{total}")
            if used.startswith("gpu:") and "IDX:" in used:
                count, mask = gpus(used)
                assert mask.bit_count() == count
        assert states("drained*") == "drained+NOT_RESPONDING"
    return found


def squeue(entry: Entry) -> int:
    """Read host lists, limits and GPUs in the rows of squeue, whatever columns a site has it print."""
    found = 0
    for row in entry.text.splitlines():
        cells = [cell.strip() for cell in row.split("|#" if "|#" in row else "|")]
        asked = [gpus(cell)[0] for cell in cells if "gres/gpu" in cell]
        assert all(asked)
        found += max(asked, default=0)
        held = next((cell for cell in cells if "RUNNING" in cells and re.fullmatch(r"node\[[\d,-]+\]", cell)), "")
        assert not held or str(len(names(held))) in cells
        for cell in cells:
            if re.fullmatch(r"\d+-\d\d:\d\d:\d\d", cell):
                assert minutes(cell) >= int(cell.partition("-")[0]) * 1440  # type: ignore[operator]  # a time
    return found


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
    event = json.loads(entry.content)
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
