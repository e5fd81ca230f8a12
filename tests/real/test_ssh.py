"""The console over a real SSH connection on loopback, as SREs use it."""

from __future__ import annotations

import sys

import pytest

from tests.servers.sshd import sshd
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sshd")]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50)])
def test_the_demo_paints_takes_keys_and_gives_the_terminal_back(tmp_path, columns, lines):
    with sshd(tmp_path) as server:
        command = [*server.command, sys.executable, "-m", "console", "demo", "--gpus", "4000"]
        with Terminal(command, columns, lines) as terminal:
            terminal.wait_for("4,000 (4 of 4 sites)")
            terminal.send("2")
            terminal.wait_for("by temp_c_max falling")
            terminal.send("3")
            terminal.wait_for("CHECKS")
            terminal.send("q")
            terminal.wait_for(lambda text: terminal.ended() or "closed" in text)
            assert terminal.raw.rstrip().count("\x1b[?1049l") == 1
