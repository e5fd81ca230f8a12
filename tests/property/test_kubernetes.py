from __future__ import annotations

import json
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.errors import SourceError
from console.model.reading import EventsPart, JobsPart, NodeReportsPart
from console.sources.kubernetes.book import Book
from console.sources.kubernetes.decoder import Decoder
from console.sources.kubernetes.follow import Inbox, Kind, Listed
from console.sources.kubernetes.nodes import node_row
from console.sources.kubernetes.pieces import Inflater, ListParts
from console.sources.kubernetes.pods import PodRow, pod_row
from console.sources.kubernetes.wire import Who, WireNode, WirePod
from tests.servers.kube import condition, node, pod
from tests.support.kube_objects import RESOURCE

WHO = Who("muc1", "k8s")
NODES = Kind("nodes", "/api/v1/nodes", WireNode, lambda each: node_row(each, RESOURCE))
PODS = Kind("pods", "/api/v1/pods", WirePod, lambda each: pod_row(each, RESOURCE))
quick = settings(max_examples=60, deadline=None)
OURS = "muc1/k8s: nothing is wrong"
odd_text = st.text(max_size=30)


class Held:
    """A follower that was given its news by hand."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.inbox, self.lists = kind, Inbox(), 1


def state_of(feeds: list[tuple[Held, list[Any]]], chunk: int) -> dict[str, Any]:
    """Return what is known after items came, decoded after every so many."""
    book = Book(lambda: "muc")
    decoder = Decoder(WHO, book)
    followers: Any = [held for held, _ in feeds]
    parts: list[Any] = []
    for held, items in feeds:
        for number, item in enumerate(items):
            held.inbox.put(item)
            if number % chunk == chunk - 1:
                parts += decoder.decode(followers, float(len(parts)))
    parts += decoder.decode(followers, 1e9)
    reports = [part for part in parts if isinstance(part, NodeReportsPart)][-1]
    jobs = [part for part in parts if isinstance(part, JobsPart)][-1]
    told = {
        name: (
            reports.states[reports.codes[i]],
            int(reports.gpus[i]),
            int(reports.gpus_allocated[i]),
            reports.reasons.get(i),
        )
        for i, name in enumerate(reports.keys.names)
    }
    rows = {
        job.id: (job, lists, masks)
        for job, lists, masks in zip(jobs.jobs, jobs.node_lists, jobs.gpu_masks, strict=True)
    }
    return {"nodes": told, "jobs": {key: _sorted(*row) for key, row in rows.items()}}


def _sorted(job: Any, nodes: Any, masks: Any) -> Any:
    return job, tuple(sorted(zip(nodes, masks, strict=True)))


def line(kind: str, thing: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": thing}).encode()


steps = st.lists(
    st.tuples(
        st.sampled_from(["node", "pod"]),
        st.integers(0, 3),
        st.sampled_from(["put", "put", "put", "delete"]),
        st.integers(0, 4),
        st.integers(0, 3),
    ),
    max_size=40,
)


def _node(number: int, look: int) -> dict[str, Any]:
    bad = [condition("Ready", "True" if look else "False"), condition("GpuMemWatch", "True" if look == 2 else "False")]
    return node(f"n{number}", gpus=8 if look != 3 else None, conditions=bad, unschedulable=look == 1)


def _pod(number: int, look: int, place: int) -> dict[str, Any]:
    phase = ("Pending", "Running", "Succeeded", "Failed", "Running")[look]
    owner = ("Job", f"j{number % 2}") if look else None
    # Kubernetes never binds a pod anew, nor changes whose it is or what it asks for: another pod does, of that name.
    return pod(
        f"w{number}", on=f"n{place}" if phase != "Pending" else "", phase=phase, gpus=8 if number else 0, owner=owner
    )


def _played(script: list[tuple[str, int, str, int, int]]) -> tuple[dict[str, list[bytes]], dict[str, dict[str, Any]]]:
    """Return the lines of both watches, and what is there at the end."""
    lines: dict[str, list[bytes]] = {"node": [], "pod": []}
    there: dict[str, dict[str, Any]] = {"node": {}, "pod": {}}
    for version, (what, number, deed, look, place) in enumerate(script, 1):
        thing = _node(number, look) if what == "node" else _pod(number, look, place)
        thing["metadata"]["resourceVersion"] = str(version)
        name = thing["metadata"]["name"]
        if deed == "put":
            lines[what].append(line("MODIFIED" if name in there[what] else "ADDED", thing))
            there[what][name] = thing
        elif name in there[what]:
            gone = json.loads(json.dumps(there[what].pop(name)))
            gone["metadata"]["resourceVersion"] = str(version)
            lines[what].append(line("DELETED", gone))
    return lines, there


def listed(kind: Kind, things: list[dict[str, Any]]) -> Listed:
    parts: ListParts[Any, Any] = ListParts(kind.wire, kind.keep, WHO, 10**7)
    parts.feed(json.dumps({"metadata": {"resourceVersion": "1"}, "items": things}).encode())
    parts.end()
    return Listed(parts.rows)


@quick
@given(steps, st.integers(1, 7), st.randoms(use_true_random=False))
def test_any_changes_in_any_portions_end_where_a_fresh_list_does(script: Any, chunk: int, chance: Any) -> None:
    lines, there = _played(script)
    fresh = state_of(
        [
            (Held(NODES), [listed(NODES, list(there["node"].values()))]),
            (Held(PODS), [listed(PODS, list(there["pod"].values()))]),
        ],
        1,
    )
    empty = Listed([])
    followed = state_of([(Held(NODES), [empty, *lines["node"]]), (Held(PODS), [empty, *lines["pod"]])], chunk)
    assert followed == fresh
    for each in lines.values():  # out of their order: each object's own version tells which is the last
        chance.shuffle(each)
    shuffled = state_of([(Held(NODES), [empty, *lines["node"]]), (Held(PODS), [empty, *lines["pod"]])], chunk)
    assert shuffled == fresh


@quick
@given(steps, steps)
def test_a_list_takes_the_place_of_what_was_known(before: Any, after: Any) -> None:
    lines, _ = _played(before)
    _, there = _played(after)
    lists = listed(NODES, list(there["node"].values())), listed(PODS, list(there["pod"].values()))
    fresh = state_of([(Held(NODES), [lists[0]]), (Held(PODS), [lists[1]])], 1)
    anew = state_of([(Held(NODES), [*lines["node"], lists[0]]), (Held(PODS), [*lines["pod"], lists[1]])], 1)
    assert anew == fresh


@quick
@given(
    st.lists(st.tuples(st.integers(0, 9), odd_text), max_size=30),
    st.integers(1, 4000),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.integers(200, 4000),
)
def test_a_list_cut_anywhere_reads_as_a_whole(
    shapes: list[tuple[int, str]], cut: int, indent: int | None, squeezed: bool, slice_bytes: int
) -> None:
    things = []
    for number, (gpus, text) in enumerate(shapes):
        thing = pod(f"w{number}", gpus=gpus, labels={"odd": text, "json": '},{"metadata":{"name":"x"}}'})
        thing["spec"]["volumes"] = [{"name": text, "ephemeral": {"volumeClaimTemplate": {"metadata": {"name": "v"}}}}]
        things.append(thing)
    body = {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "7", "continue": ""},
        "items": things,
    }
    separators = (",", ":") if indent is None else None
    content = json.dumps(body, separators=separators, indent=indent, ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    wire = zlib.compress(content) if squeezed else content
    from console.sources.kubernetes import pieces

    before, pieces.SLICE_BYTES = pieces.SLICE_BYTES, slice_bytes
    try:
        parts: ListParts[WirePod, PodRow] = ListParts(WirePod, PODS.keep, WHO, 10**7)
        inflater = Inflater("deflate" if squeezed else "", WHO)
        for start in range(0, len(wire), cut):
            for piece in inflater.feed(wire[start : start + cut]):
                parts.feed(piece)
        inflater.end()
        meta = parts.end()
    finally:
        pieces.SLICE_BYTES = before
    assert (meta.resource_version, parts.items) == ("7", len(things))
    assert [row.name for row in parts.rows] == [f"w{number}" for number, (gpus, _) in enumerate(shapes) if gpus]


@quick
@given(st.one_of(st.binary(max_size=300), st.recursive(st.none() | st.integers() | odd_text, lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["metadata", "items", "kind", "name", "spec"]), inner)
)).map(lambda each: json.dumps(each).encode())), st.integers(1, 50))  # fmt: skip
def test_whatever_a_body_is_the_error_is_ours(content: bytes, cut: int) -> None:
    parts: ListParts[WirePod, PodRow] = ListParts(WirePod, PODS.keep, WHO, 10**7)
    told = OURS
    try:
        for start in range(0, len(content), cut):
            parts.feed(content[start : start + cut])
        parts.end()
    except SourceError as error:
        told = str(error)
    assert told.startswith("muc1/k8s: ")


@quick
@given(st.one_of(st.binary(max_size=200), odd_text.map(lambda each: line("ADDED", {"metadata": {"name": each}}))))
def test_whatever_a_change_is_the_error_is_ours(content: bytes) -> None:
    held = Held(PODS)
    held.inbox.put(content)
    decoder = Decoder(WHO, Book(lambda: ""))
    followers: Any = [held]
    told = OURS
    try:
        assert all(isinstance(part, EventsPart | JobsPart) for part in decoder.decode(followers, 0.0))
    except SourceError as error:
        told = str(error)
    assert told.startswith("muc1/k8s: ")
    assert decoder.broken == ({"pods"} if told != OURS else set())
