"""A console's own memory as a user meets it: what is acknowledged stays so, however the console ends."""

from __future__ import annotations

import re
import signal

import pytest

from tests.servers.emulator import emulator
from tests.support.cli import gigadeck as run
from tests.support.terminal import Terminal, gigadeck

FLEET = """
fleet: mine
checks:
  - {{name: warm, where: temp_c > 20, warning: 1}}
sites:
  - name: muc1
    sources:
      - {{kind: site, url: '{url}', cadence: 1s}}
"""


@pytest.fixture
def environ(tmp_path):
    return {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        **{f"GIGADECK_{name}_DIR": str(tmp_path / name.lower()) for name in ("STATE", "CONFIG", "CACHE")},
    }


@pytest.fixture
def fleet(tmp_path):
    with emulator(gpus=640) as server:
        path = tmp_path / "fleet.yaml"
        path.write_text(FLEET.format(url=server.url))
        yield path


def test_an_acknowledgement_outlives_a_killed_console_and_is_seen_by_a_command(fleet, environ, tmp_path, monkeypatch):
    command = gigadeck("--fleet", str(fleet))
    with Terminal(command, 120, 30, environ=environ) as terminal:
        terminal.wait_for("memory: own")
        terminal.wait_for("temp_c > 20")
        terminal.send("A")
        terminal.wait_for("Enter acknowledges muc1-")
        terminal.send("looking at it\r")
        shown = terminal.wait_for("is acknowledged by")
        id = re.search(r"muc1-[0-9a-f]{8}", shown.splitlines()[-2])[0]
        terminal.signal(signal.SIGKILL)
        terminal.wait_for_end()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with Terminal(command, 120, 30, environ=environ) as terminal:
        terminal.wait_for("memory: own")
        rows = terminal.wait_for("temp_c > 20")
        (line,) = (line for line in rows.splitlines() if "temp_c > 20" in line)
        assert "@" in line, "the console shows who took it on"
        said = run("alerts", "--fleet", str(fleet), "--json")
        (row,) = (each for each in said.json["rows"] if each["id"] == id)
        assert (row["state"], row["note"]) == ("acknowledged", "looking at it")
        terminal.send("A")
        terminal.wait_for("looking at it")
        terminal.send("\x1b[B\r")
        terminal.wait_for("acknowledged no longer")
        terminal.send("q")
        assert terminal.wait_for_end() == 0
    assert (tmp_path / "state" / "mine.db").stat().st_mode & 0o077 == 0, "nobody else reads what was noted"
