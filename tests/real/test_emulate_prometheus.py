"""A real Prometheus scrapes the emulator: shards, one node's page, the facility."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.emulator import emulator
from tests.servers.prometheus import prometheus

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server

LIMIT_S = 60.0


def ask(url: str, query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()
    assert answer["status"] == "success"
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def wait_until_up(url: str, jobs: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        up = ask(url, "up")
        if len(up) == jobs and all(each["value"][1] == "1" for each in up):
            return
        time.sleep(0.1)
    targets = httpx.get(f"{url}/api/v1/targets").json()["data"]["activeTargets"]
    pytest.fail(f"not every target is up: {[(each['scrapeUrl'], each['lastError']) for each in targets]}")


def test_prometheus_takes_every_page(tmp_path: Path) -> None:
    with emulator(gpus=1600, sites=1, seed=3) as server:
        at = server.url.removeprefix("http://")
        info = httpx.get(f"{server.url}/site/v1/sites").json()["sites"][0]
        site = info["site"]
        pages = [f"{at}/metrics?site={site}&shards=2&shard={shard}" for shard in range(2)]
        pages += [f"{at}/node/n0007/metrics?hostname=lower", f"{at}/facility?site={site}"]
        with prometheus(tmp_path, pages) as store:
            wait_until_up(store.url, len(pages))
            shards = ask(store.url, 'count by (job) (DCGM_FI_DEV_GPU_TEMP{job=~"dcgm-[01]"})')
            counts = {each["metric"]["job"]: int(each["value"][1]) for each in shards}
            assert set(counts) == {"dcgm-0", "dcgm-1"}
            # GPUs that fell off the bus are absent, as they are from a real exporter's page.
            assert 0.98 * info["gpus"] <= sum(counts.values()) <= info["gpus"]
            uuids = ask(store.url, 'count(count by (UUID) (DCGM_FI_DEV_GPU_TEMP{job=~"dcgm-[01]"}))')
            assert int(uuids[0]["value"][1]) == sum(counts.values())
            (node,) = ask(store.url, 'count by (hostname) (DCGM_FI_DEV_GPU_TEMP{job="dcgm-2"})')
            assert node["metric"]["hostname"] == "n0007"
            (power,) = ask(store.url, "gigadeck_it_power_watts")
            assert power["metric"]["site"] == site
            assert float(power["value"][1]) > 0
            kinds = httpx.get(f"{store.url}/api/v1/metadata", timeout=10).json()["data"]
            assert kinds["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"][0]["type"] == "counter"
            assert kinds["DCGM_FI_DEV_POWER_USAGE"][0] == {"type": "gauge", "unit": "", "help": "Power draw (in W)."}
