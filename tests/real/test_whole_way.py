"""The whole way: the emulator's 2,000 nodes, scraped by a real Prometheus, through the engine to the command line."""

from __future__ import annotations

import base64
import re
import signal
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from console.model.builtin_metrics import BUILTIN
from console.model.errors import NoDataError
from console.model.levels import Level
from console.model.metrics import RollUp
from console.model.snapshot import SourceState
from console.sources.prometheus.rules import recording_rules
from console.wiring import open_fleet
from tests.servers.emulator import Emulator, emulator
from tests.servers.prometheus import Prometheus, prometheus
from tests.support.cli import gigadeck
from tests.support.relay import Relay, relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.engine.session import Session
    from console.model.snapshot import SiteFrame, Snapshot, SourceStatus

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("whole-way")]

GPUS, NODES, SHARDS = 16_000, 2_000, 4
SITE = "muc1"
WAIT_S = 60.0
# Seven metrics: so that a sweep is done at every turn, on a small machine too.
KEEP = "DCGM_FI_DEV_(POWER_USAGE|GPU_TEMP|GPU_UTIL|FB_USED|ECC_SBE_VOL_TOTAL|POWER_MGMT_LIMIT|PCIE_REPLAY_COUNTER)"
FLEET = """
fleet: whole
sites:
  - name: muc1
    inventory: {{file: muc1.csv}}
    expect: {{nodes: {nodes}, gpus: {gpus}}}
    sources:
      - {{kind: prometheus, name: prom, url: '{url}', timeouts: {{read: 30s, total: 60s}}{more}}}
  - name: lab
    sources:
      - {{kind: emulator, gpus: 160, seed: 5}}
"""


@dataclass
class World:
    """Two emulators of the same plan: `last` serves the last shard alone, so that it can be stopped."""

    folder: Path
    first: Emulator
    last: Emulator
    store: Prometheus
    relay: Relay
    topology: dict[str, Any] = field(default_factory=dict)

    def fleet(self, name: str = "fleet", **options: str) -> Path:
        more = "".join(f", {key}: {value}" for key, value in options.items())
        path = self.folder / f"{name}.yaml"
        path.write_text(FLEET.format(url=self.relay.url, nodes=NODES, gpus=GPUS, more=more))
        return path

    def emulated(self, *metrics: str) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Return the emulator's own columns, in the order of its own topology."""
        params = {"metrics": ",".join(metrics)}
        body = httpx.get(f"{self.first.url}/site/v1/{SITE}/telemetry", params=params, timeout=30).json()
        return {each["metric"]: np.frombuffer(base64.b64decode(each["data"]), dtype="<f4") for each in body["columns"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("whole")
    with ExitStack() as stack:
        first, last = (stack.enter_context(emulator(gpus=GPUS, sites=1, seed=3)) for _ in range(2))
        (folder / "muc1.csv").write_text(httpx.get(f"{first.url}/inventory", params={"site": SITE}).text)
        served_by = [*([first] * (SHARDS - 1)), last]
        pages = [
            f"{each.url.removeprefix('http://')}/metrics?site={SITE}&shards={SHARDS}&shard={shard}"
            for shard, each in enumerate(served_by)
        ]
        store = stack.enter_context(prometheus(folder, pages, interval="5s", keep=KEEP))
        wait_for_series(store, "count_over_time(DCGM_FI_DEV_POWER_USAGE[1m]) > 1")
        yield World(folder, first, last, store, stack.enter_context(relay(store.url)))


@contextmanager
def running(world: World, name: str = "fleet", **options: str) -> Iterator[Session]:
    fleet = open_fleet(str(world.fleet(name, **options)), with_plugins=False)
    fleet.session.start()
    try:
        yield fleet.session
    finally:
        fleet.session.close(2.0)


@pytest.fixture(scope="module")
def session(world: World) -> Iterator[Session]:
    with running(world, "watched", stale_after="10s") as opened:
        yield opened


def wait_for_series(store: Prometheus, promql: str) -> None:
    deadline = time.monotonic() + WAIT_S
    with httpx.Client(base_url=store.url, timeout=30) as client:
        while time.monotonic() < deadline:
            answer = client.get("/api/v1/query", params={"query": f"count({promql})"}).json()
            if answer["data"]["result"]:
                return
            time.sleep(0.2)
    pytest.fail(f"nothing was stored for {promql}")


def until(session: Session, wanted: Callable[[Snapshot], bool], limit_s: float = WAIT_S) -> Snapshot:
    try:
        return session.wait(wanted, limit_s)
    except NoDataError as error:
        latest = session.latest()
        pytest.fail(
            f"{error}: {latest and [(s.state, s.last_error, s.cadence_s, dict(s.notes)) for s in latest.sources]}"
        )


def site(snapshot: Snapshot, name: str = SITE) -> SiteFrame:
    found = snapshot.frame.site(name)
    assert found is not None
    return found


def source(snapshot: Snapshot, name: str = SITE) -> SourceStatus:
    return next(each for each in snapshot.sources if each.site == name)


def whole(snapshot: Snapshot) -> bool:
    """Whether nearly all report (the emulator has broken GPUs), at a known interval, from a sweep that ended."""
    frame, of = snapshot.frame.site(SITE), source(snapshot)
    return (
        frame is not None
        and of.state in (SourceState.OK, SourceState.SLOW)
        and np.count_nonzero(frame.reporting) > 0.99 * GPUS
        and of.cadence_s < 15
        and of.notes.get("sweep", "under way") != "under way"
        and {"pcie_replays", "power_w"} <= frame.columns.keys()
        # A sweep on a busy machine may come late: what is read below must be current.
        and np.isfinite(frame.columns["power_w"].current(snapshot.at)).any()
    )


def lab_is_fresh(snapshot: Snapshot) -> bool:
    lab = site(snapshot, "lab")
    return not lab.stale and snapshot.at - lab.data_at < 10 and source(snapshot, "lab").state is SourceState.OK


def test_columns_are_those_of_the_emulator(world: World, session: Session) -> None:
    before = world.emulated("ecc_sbe", "pcie_replays", "power_limit_w", "temp_c")
    snapshot = until(session, whole)
    after = world.emulated("ecc_sbe", "pcie_replays", "power_limit_w", "temp_c")
    frame = site(snapshot)
    assert frame.topology.gpus == GPUS
    assert not frame.unjoined
    rows = rows_in_order(world, frame)
    for name in ("ecc_sbe", "pcie_replays", "power_limit_w"):  # these stand still, but for what breaks just now
        resting = before[name] == after[name]
        assert np.count_nonzero(resting) > 0.99 * GPUS
        ours = frame.columns[name].values[rows]
        reported = ~np.isnan(ours)
        assert np.count_nonzero(reported) > 0.99 * GPUS
        assert np.count_nonzero((ours != after[name]) & resting & reported) <= 2, name
    assert np.count_nonzero(after["ecc_sbe"] > 0) > 100, "where so many differ, a wrong join shows"
    ours, theirs = frame.columns["temp_c"].values[rows], after["temp_c"]
    assert np.nanquantile(np.abs(ours - theirs), 0.9) < 10


def rows_in_order(world: World, frame: SiteFrame) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return our row of each of the emulator's GPUs, by UUID; every one is there."""
    from console.model.identity import parse_uuids

    text = (world.folder / "muc1.csv").read_text().splitlines()
    column = text[0].split(",").index("gpu_uuids")
    uuids = [uuid for line in text[1:] for uuid in line.split(",")[column].split(";")]
    rows = frame.topology.uuids.find(*parse_uuids(uuids))
    assert len(rows) == GPUS
    assert (rows >= 0).all()
    return rows


def test_totals_coverage_and_ages_are_right(session: Session) -> None:
    # What is learned from few samples on a busy machine is mended by more of them.
    snapshot = until(session, lambda each: whole(each) and 4 < source(each).cadence_s < 10)
    frame, of = site(snapshot), source(snapshot)
    column = frame.columns["power_w"]
    power = column.current(snapshot.at)
    rolled = frame.rollups["power_w"]
    assert rolled.get(Level.SITE, RollUp.SUM)[0] == pytest.approx(np.nansum(power, dtype=np.float64), rel=1e-5)
    assert rolled.counts[Level.SITE][0] == np.count_nonzero(~np.isnan(power))
    assert len(rolled.counts[Level.NODE]) == NODES
    ages_s = snapshot.at - column.at[~np.isnan(column.values)]
    assert -1 < ages_s.min() <= ages_s.max() < 30
    assert 0 <= snapshot.at - of.data_at < 20
    assert 4 < of.cadence_s < 10  # a busy machine scrapes a little late
    assert of.notes["way"] == "federate"
    assert of.last_error == ""


def test_the_command_line_says_the_same(world: World, session: Session) -> None:
    until(session, whole)
    said = gigadeck("status", "--fleet", str(world.fleet()), "--level", "site", "--timeout", "30s", "--json")
    assert said.code == 0, said.err
    rows = {row["id"]: row for row in said.json["rows"]}
    assert sum(row["gpus"] for row in rows.values()) == GPUS + 160
    assert rows[SITE]["nodes"] == NODES
    assert 0.99 * GPUS < rows[SITE]["gpus_reporting"] <= GPUS
    assert 100 * GPUS < rows[SITE]["gpu_power_w_sum"] < 700 * GPUS
    assert 0 <= rows[SITE]["age_s"] < 20
    assert rows[SITE]["source"] == "prom"


def test_doctor_measures_a_sweep(world: World) -> None:
    said = gigadeck("doctor", "--fleet", str(world.fleet()), "--site", SITE, "--timeout", "40s", "--json")
    rows = {row["id"]: row for row in said.json["rows"]}
    assert rows["muc1/prom"]["state"] == "ok", rows["muc1/prom"]
    what = rows["muc1/prom/sweep"]["what"]
    figures = re.search(r"sweep: ([\d.]+) s by federate, (\d+) requests, ([\d,]+) rows", what)
    assert figures, what
    assert float(figures[1]) > 0
    assert int(figures[3].replace(",", "")) > 0.9 * 7 * GPUS
    assert re.search(r"server CPU: [\d.]+ s a sweep", what), what


def test_checks_are_judged_from_it(world: World) -> None:
    said = gigadeck("check", "--fleet", str(world.fleet()), "--only", "silent", "--timeout", "30s", "--json")
    assert said.code in (0, 1, 2), said.out + said.err
    (row,) = said.json["rows"]
    assert row["expected"] == NODES + 20


def test_rules_are_used_where_they_are_loaded(world: World) -> None:
    (world.folder / "rules.yml").write_text(recording_rules(BUILTIN))
    assert world.store.process is not None
    world.store.process.send_signal(signal.SIGHUP)
    wait_for_series(world.store, "gigadeck:power_w:count")
    with running(world, "ruled", sweep="off") as session:
        snapshot = until(session, lambda each: source(each).notes.get("rules") == "used")
        row = session.query(Level.SITE, fields=("gpu_power_w_sum", "gpus")).result(10)
        power = dict(zip(row.ids, row.columns["gpu_power_w_sum"], strict=True))[SITE]
        assert 100 * GPUS < float(power) < 700 * GPUS
        assert source(snapshot).state in (SourceState.OK, SourceState.SLOW)


def test_gpus_of_an_exporter_that_stops_are_missing_and_not_zero(world: World, session: Session) -> None:
    until(session, whole)
    world.last.process.terminate()
    part = GPUS // SHARDS

    def missing(snapshot: Snapshot) -> bool:
        return 0.98 * (GPUS - part) < np.count_nonzero(site(snapshot).reporting) <= GPUS - part

    snapshot = until(session, missing)
    frame = site(snapshot)
    assert frame.topology.gpus == GPUS
    assert source(snapshot).state in (SourceState.OK, SourceState.SLOW)
    gone = ~frame.reporting
    assert np.isnan(frame.columns["power_w"].current(snapshot.at)[gone]).all()
    assert frame.rollups["power_w"].counts[Level.SITE][0] <= GPUS - part
    by_node = frame.rollups["temp_c"].get(Level.NODE, RollUp.MAX)
    assert np.count_nonzero(np.isnan(by_node)) >= NODES // SHARDS
    assert not (by_node == 0).any()


def test_a_store_killed_in_the_middle_of_a_body_fails_grows_stale_and_comes_back(
    world: World, session: Session
) -> None:
    before = site(until(session, lambda each: source(each).state in (SourceState.OK, SourceState.SLOW)))
    world.relay.arm(400_000, world.store.kill)
    assert world.relay.fired.wait(WAIT_S)
    failing = until(session, lambda each: source(each).state is SourceState.FAILING)
    told = source(failing)
    assert told.last_error.startswith("muc1/prom: ")
    assert told.failures >= 1
    assert lab_is_fresh(failing)
    stale = until(session, lambda each: source(each).state is SourceState.STALE and site(each).stale)
    assert site(stale).topology is before.topology
    assert stale.at - source(stale).data_at > 10
    assert np.isnan(site(stale).rollups["power_w"].get(Level.SITE, RollUp.SUM)[0]) or site(stale).stale
    assert lab_is_fresh(stale)
    world.store.start()
    back = until(session, lambda each: source(each).state in (SourceState.OK, SourceState.SLOW), 2 * WAIT_S)
    assert source(back).last_error == ""
    assert not site(back).stale
    fresh = until(session, lambda each: np.count_nonzero(site(each).reporting) > 0.7 * GPUS)
    assert lab_is_fresh(fresh)
