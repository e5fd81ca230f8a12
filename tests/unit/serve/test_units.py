"""The units that come with the program are sound, and say what the program does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "packaging"


def settings(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(key, []).append(value)
    return found


def test_the_service_is_told_apart_from_the_rest_of_the_host() -> None:
    found = settings("gigadeck.service")
    assert found["Type"] == ["notify"]
    assert found["User"] == ["gigadeck"]
    assert found["NoNewPrivileges"] == found["ProtectHome"] == ["yes"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    assert " serve " in found["ExecStart"][0]


def test_the_watchdog_waits_longer_than_a_compute_thread_may_hang() -> None:
    from console.serve.run import HUNG_S, WATCH_S

    watchdog_s = float(settings("gigadeck.service")["WatchdogSec"][0])
    assert watchdog_s / 3 >= WATCH_S
    assert watchdog_s >= HUNG_S / 2


def test_the_socket_is_for_a_group() -> None:
    found = settings("gigadeck.socket")
    assert (found["SocketMode"], found["SocketGroup"], found["Service"]) == (["0660"], ["sre"], ["gigadeck.service"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_them(tmp_path: Path) -> None:
    for name in ("gigadeck.service", "gigadeck.socket"):
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(re.sub(r"=/opt/gigadeck/bin/gigadeck", "=/bin/true", text))
    files = [str(tmp_path / name) for name in ("gigadeck.service", "gigadeck.socket")]
    said = subprocess.run(
        ["systemd-analyze", "verify", *files], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in said.stderr.splitlines() if "gigadeck" in line]
    assert (said.returncode, ours) == (0, []), said.stderr
