from __future__ import annotations

import asyncio
import json
import math
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from console.config.values import Auth, Secret, SiteConfig, SourceConfig, Timeouts, Tls
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.reading import ColumnPart, NodeReportsPart
from console.sources.registry import open_source
from tests.servers import kube
from tests.servers.emulator import emulator
from tests.servers.logs import LogStore
from tests.support.bad_http import answer, bad_server, endless, reset, silent, truncated
from tests.support.fake_redfish import FakeBmc, tray
from tests.support.fake_serve import FakeServe
from tests.support.fake_slurm import FakeSlurm, job, node
from tests.support.fake_store import POWER, TEMP, FakeStore, gpu_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from console.model.ports import Source
    from console.model.reading import Part, Reading
    from tests.support.bad_http import BadServer, Behaviour, Request, Writer

SITE = "lab"
OF_THE_LINE = ("content-length", "transfer-encoding", "connection", "date", "server")
LIMITS = Timeouts(connect_s=1.0, read_s=0.3, total_s=3.0)


@dataclass(frozen=True)
class Voice:
    """A kind of source, and a server that answers it well."""

    kind: str
    good: Behaviour
    lines: bool = False
    streams: FakeServe | None = None
    cadence_s: float = 0.0
    options: Mapping[str, object] = field(default_factory=dict)

    def open(self, server: BadServer, **more: object) -> Source:
        settings = {"timeouts": LIMITS, "max_body_bytes": 2_000_000, "cadence_s": self.cadence_s, **more}
        settings["options"] = self.options
        config = SourceConfig(self.kind, "src", server.url, **settings)  # type: ignore[arg-type]
        return open_source(SiteConfig(SITE), config, BUILTIN)


@pytest.fixture(scope="module")
def emulated() -> Iterator[str]:
    with emulator(gpus=16, sites=1) as running:
        yield running.url


def forward(url: str) -> Behaviour:
    def fetch(request: Request) -> tuple[int, dict[str, str], bytes]:
        onward = urllib.request.Request(url + request.target, headers={"Accept": request.headers.get("accept", "*/*")})
        try:
            with urllib.request.urlopen(onward, timeout=10) as response:
                return response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    async def act(request: Request, writer: Writer) -> None:
        status, headers, content = await asyncio.to_thread(fetch, request)
        kept = {name.lower(): text for name, text in headers.items() if name.lower() not in OF_THE_LINE}
        await answer(content, status, kept.pop("content-type", ""), kept)(request, writer)

    return act


def store(**more: object) -> FakeStore:
    rows = [gpu_row(name, f"n{i // 8:02d}", i % 8, f"{60 + i}") for name in (POWER, TEMP) for i in range(16)]
    return FakeStore(rows, time.time(), **more)  # type: ignore[arg-type]


async def api_server(request: Request, writer: Writer) -> None:
    things = {"/api/v1/nodes": [kube.node("n1"), kube.node("n2")], "/api/v1/pods": [kube.pod("w1", on="n1")]}
    if request.path not in things:
        await answer('{"kind": "Status", "message": "not found"}', 404)(request, writer)
        return
    listed = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": things[request.path]}
    await answer(json.dumps(listed))(request, writer)


async def pager(request: Request, writer: Writer) -> None:
    alerts = [{"fingerprint": f"{i}", "labels": {"alertname": "A", "instance": f"n{i}"}} for i in range(16)]
    await answer(json.dumps(alerts if request.path.endswith("alerts") else []))(request, writer)


def log_store(flavour: str) -> LogStore:
    of = LogStore(flavour)
    for i in range(16):
        of.add("reboot: Restarting system", time.time() - 60, job="kernel", host=f"n{i}")
    return of


VOICES = (
    "prometheus-query", "prometheus-federate", "prometheus-export", "site", "site-stream", "dcgm", "alertmanager",
    "slurm", "logs-loki", "logs-victorialogs", "redfish", "kubernetes",
)  # fmt: skip


@pytest.fixture(params=VOICES)
def voice(request: pytest.FixtureRequest) -> Voice:
    if request.param.startswith("logs-"):
        flavour = request.param.partition("-")[2]
        return Voice("logs", log_store(flavour).behaviour, lines=flavour == "victorialogs")
    if request.param == "slurm":
        of = FakeSlurm([node("n1"), node("n2")], [job(1)])
        return Voice("slurm", of.behaviour, cadence_s=1e-6)
    if request.param == "kubernetes":
        return Voice("kubernetes", api_server, options={"watch": "off"})
    if request.param == "redfish":
        return Voice("redfish", FakeBmc(tray(gpus=16)).behaviour, cadence_s=1e-6)
    if request.param == "alertmanager":
        return Voice("alertmanager", pager)
    if request.param == "dcgm":
        return Voice("dcgm", forward(request.getfixturevalue("emulated")))
    if request.param == "site-stream":
        serve = FakeServe(site=SITE)
        return Voice("site", serve.behaviour, streams=serve)
    if request.param == "site":
        url = request.getfixturevalue("emulated")
        name = json.loads(urllib.request.urlopen(f"{url}/site/v1/sites", timeout=10).read())
        there = _first_site(name)
        good = forward(url)

        async def renamed(each: Request, writer: Writer) -> None:
            target = each.target.replace(f"/site/v1/{SITE}/", f"/site/v1/{there}/")
            await good(type(each)(each.method, target, each.headers, each.body), writer)

        return Voice("site", renamed)
    way = request.param.partition("-")[2]
    return Voice(
        "prometheus", store(federate=way == "federate", export=way == "export").behaviour, lines=way != "query"
    )


def _first_site(listing: object) -> str:
    sites = listing["sites"] if isinstance(listing, dict) else listing
    assert isinstance(sites, list)
    return sites[0] if isinstance(sites[0], str) else sites[0]["site"] if "site" in sites[0] else sites[0]["name"]


async def everything(source: Source) -> tuple[Reading, list[Part]]:
    reading = await source.read()
    return reading, list(reading.decode())


class Watched:
    """A source and what is known through it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.merger = SiteMerger(empty_topology(SITE), BUILTIN)

    async def gpus(self) -> int:
        """Read once and return how many GPUs report now; how many alerts or events; what a scheduler counts."""
        reading, parts = await everything(self.source)
        for part in parts:
            self.merger.apply(part, source="src", stale_after_s=60.0, received_at=reading.received_at)
        frame = self.merger.frame(reading.received_at)
        counted = sum(int(part.gpus.sum()) for part in parts if isinstance(part, NodeReportsPart))
        return int(np.count_nonzero(frame.reporting)) or len(frame.alerts) or len(frame.events) or counted


async def until_it_fails(source: Source, of: FakeServe) -> None:
    """Cut the stream, for a good one goes on whatever a new request gets; read until the end is told."""
    of.hang_up()
    async with asyncio.timeout(10):
        while True:
            await everything(source)


async def gpus_of(source: Source) -> int:
    return await Watched(source).gpus()


def long_retry(status: int) -> Behaviour:
    return answer('{"status":"error","error":"x"}', status, headers={"Retry-After": "17"})


FAULTS: dict[str, tuple[Callable[[], Behaviour], type[errors.SourceError]]] = {
    "401": (lambda: long_retry(401), errors.Unauthorized),
    "403": (lambda: long_retry(403), errors.Unauthorized),
    "404": (lambda: answer("no", 404, "text/plain"), errors.NotOffered),
    "429": (lambda: long_retry(429), errors.RateLimited),
    "500": (lambda: long_retry(500), errors.ServerFailed),
    "503": (lambda: long_retry(503), errors.ServerFailed),
    "redirect": (
        lambda: answer("", 302, headers={"Location": "http://127.0.0.1:9/elsewhere?token=s3cret"}),
        errors.Redirected,
    ),
    "silence": (silent, errors.TimedOut),
    "reset": (reset, errors.Unreachable),
    "truncated": (lambda: truncated(b'{"status":"success","data":{', 4000), errors.Unreachable),
    "oversized": (endless, errors.TooLarge),
    "wrong type": (lambda: answer(b"\x89PNG", content_type="image/png"), errors.BadPayload),
    "html": (lambda: answer("<html><body>log in</body></html>", content_type="text/html"), errors.BadPayload),
    "html as json": (lambda: answer("<!doctype html><html>"), errors.BadPayload),
    "not json": (lambda: answer("nothing here"), errors.BadPayload),
    "other json": (lambda: answer('{"hello": ["world"]}'), errors.BadPayload),
    "a list": (lambda: answer("[1, 2, 3]"), errors.BadPayload),
    "empty": (lambda: answer(""), errors.BadPayload),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("warm", [False, True], ids=["at start", "in mid-run"])
async def test_a_fault_is_one_clear_error_and_the_next_good_answer_recovers(
    voice: Voice, fault: str, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "s3cret")
    monkeypatch.setattr("console.sources.site_following.SHORT_LIFE_S", 0.0)  # a cut is no fault by itself
    make, kind = FAULTS[fault]
    async with bad_server(voice.good) as server:
        source = voice.open(server, auth=Auth(bearer=Secret(env="A_TOKEN")))
        watched = Watched(source)
        if warm:
            assert await watched.gpus() == 16
        server.behaviour = make()
        if fault == "empty" and warm and voice.lines:
            # Lines of no series at all: everything is missing; of no log lines: nothing new happened.
            assert await watched.gpus() == (16 if voice.kind == "logs" else 0)
            await source.aclose()
            return
        with pytest.raises(errors.SourceError) as caught:
            await (everything(source) if voice.streams is None else until_it_fails(source, voice.streams))
        if warm and voice.streams is not None and fault in ("truncated", "oversized"):
            kind = errors.BadPayload  # what is no stream is not read to its end
        assert isinstance(caught.value, kind), caught.value
        text = str(caught.value)
        assert text.startswith(f"{SITE}/src: ")
        assert "s3cret" not in text
        assert "\n" not in text
        if fault in ("429", "500", "503"):
            assert caught.value.retry_after_s == 17
        server.behaviour = voice.good
        assert await watched.gpus() == 16
        await source.aclose()
        if fault != "silence":  # there the server itself never looks at the line again
            async with asyncio.timeout(5):
                await server.idle.wait()


async def test_refused_then_there(voice: Voice) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = SourceConfig(voice.kind, "src", f"http://127.0.0.1:{port}", timeouts=LIMITS)
    source = open_source(SiteConfig(SITE), config, BUILTIN)
    with pytest.raises(errors.Unreachable, match=f"{SITE}/src: cannot connect"):
        await source.read()
    await source.aclose()


async def test_no_such_host(voice: Voice) -> None:
    config = SourceConfig(voice.kind, "src", "http://no-such-host.invalid", timeouts=LIMITS)
    source = open_source(SiteConfig(SITE), config, BUILTIN)
    with pytest.raises(errors.Unreachable, match="no such host"):
        await source.read()
    await source.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(path), "-out", f"{path}.crt", "-days", "2", "-subj", "/CN=127.0.0.1"]
    try:
        subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_text(path.read_text() + (path.parent / f"{path.name}.crt").read_text())
    return path


async def test_self_signed_is_refused_until_its_authority_is_named(voice: Voice, certificate: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with bad_server(voice.good, tls) as server:
        source = voice.open(server)
        with pytest.raises(errors.InsecureLink, match=r"tls.ca_file"):
            await source.read()
        await source.aclose()
        source = voice.open(server, tls=Tls(ca_file=f"{certificate}.crt"))
        assert await gpus_of(source) == 16
        await source.aclose()


# What only rows can say: the store's own.


def opened(of: FakeStore) -> Source:
    from console.sources.prometheus.source import PrometheusSource

    config = SourceConfig("prometheus", "src", "http://store.example")
    return PrometheusSource(SITE, config, BUILTIN, transport=of.transport(), wall=lambda: of.now)


@pytest.fixture(params=["query", "federate", "export"])
def way(request: pytest.FixtureRequest) -> dict[str, bool]:
    return {request.param: True} if request.param != "query" else {}


async def column(of: FakeStore, metric: str) -> ColumnPart:
    source = opened(of)
    _, parts = await everything(source)
    await source.aclose()
    return next(part for part in parts if isinstance(part, ColumnPart) and part.metric == metric)


async def test_what_is_no_value_reads_as_missing(way: dict[str, Any]) -> None:
    values = ["61", "NaN", "+Inf", "-Inf", "9223372036854775794", "2147483633", "140737488355328", "62.5"]
    rows = [gpu_row(POWER, "n00", i, value) for i, value in enumerate(values)]
    found = await column(FakeStore(rows, 1_800_000_000.0, **way), "power_w")
    by_slot = dict(zip(found.keys.slots.tolist(), found.values.tolist(), strict=True))  # type: ignore[union-attr]
    assert by_slot[0] == 61
    assert by_slot[7] == 62.5
    assert all(math.isnan(by_slot[slot]) for slot in range(1, 7))


async def test_rows_that_repeat_a_gpu_count_once(way: dict[str, Any]) -> None:
    rows = [gpu_row(POWER, "n00", 0, "400", GPU_I_ID=str(i), GPU_I_PROFILE="1g.10gb") for i in range(7)]
    rows += [gpu_row(POWER, "n00", 1, "300", 40.0, replica="a"), gpu_row(POWER, "n00", 1, "310", 2.0, replica="b")]
    found = await column(FakeStore(rows, 1_800_000_000.0, **way), "power_w")
    assert sorted(found.values.tolist()) == [310, 400]


async def test_ages_are_the_samples_own(way: dict[str, Any]) -> None:
    rows = [gpu_row(POWER, "n00", 0, "400", 3.0), gpu_row(POWER, "n00", 1, "300", 33.0)]
    of = FakeStore(rows, 1_800_000_000.0, **way)
    found = await column(of, "power_w")
    ages = dict(zip(found.keys.slots.tolist(), (of.now - found.at).tolist(), strict=True))  # type: ignore[union-attr]
    assert ages == {0: pytest.approx(3.0), 1: pytest.approx(33.0)}


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
async def test_a_store_whose_clock_is_an_hour_off_has_true_ages(voice: Voice, ahead_s: float) -> None:
    if voice.kind != "prometheus":
        pytest.skip("the emulator's clock is ours")
    of = store()
    of.now += ahead_s

    async def dated(request: Request, writer: Writer) -> None:
        status, kind, text = of.respond(request.target, request.body.decode())
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(of.now))
        await answer(text, status, kind, {"Date": date})(request, writer)

    async with bad_server(dated) as server:
        source = voice.open(server)
        reading, parts = await everything(source)
        assert reading.clock_skew_s == pytest.approx(ahead_s, abs=5)
        columns = [part for part in parts if isinstance(part, ColumnPart)]
        assert columns
        for part in columns:
            assert np.abs(reading.received_at - part.at).max() < 10
        await source.aclose()


async def test_samples_from_the_future_do_not_count_as_fresh(way: dict[str, Any]) -> None:
    rows = [gpu_row(POWER, "n00", 0, "400"), gpu_row(POWER, "n01", 0, "300", -3600.0)]
    source = opened(FakeStore(rows, 1_800_000_000.0, **way))
    _, parts = await everything(source)
    values = next(part for part in parts if isinstance(part, ColumnPart)).values
    assert sorted(np.isnan(values).tolist()) == [False, True]
    reading = await source.read()
    assert any("ahead of the store's clock" in text for text in reading.warnings)
    await source.aclose()


@pytest.mark.parametrize("name", ["n\x1b[31m\x07\u202e", "[bold red]x[/]", "x" * 300, 'é"\\n{}', "n\n0"])
async def test_odd_names_join_and_harm_nothing(way: dict[str, Any], name: str) -> None:
    rows = [gpu_row(POWER, name, 0, "400"), gpu_row(POWER, "n01", 0, "300")]
    found = await column(FakeStore(rows, 1_800_000_000.0, **way), "power_w")
    assert set(found.keys.nodes) == {name[:256], "n01"}  # type: ignore[union-attr]
    assert sorted(found.values.tolist()) == [300, 400]
