from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.bastion import bastion_beside
from tests.servers.smi import fake_smi
from tests.servers.sshd import ssh_site
from tests.support.servers import require
from tests.support.terminal import Terminal, gigadeck

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.sshd import SshSite

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sshd")]

FLEET = """\
fleet: lab
sites:
  - name: muc1
    inventory: {{file: muc1.csv}}
    ssh: {{jump: [jump], config: {config}, known_hosts: {known_hosts}}}
    sources: [{{kind: ssh, cadence: 1s, nodes: n1}}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SshSite]:
    (tmp_path / "sshd").mkdir()
    (tmp_path / "muc1.csv").write_text("node,hall,rack,gpus\nn1,h1,r1,8\nn2,h1,r1,8\n")
    with ssh_site(tmp_path / "sshd", ["n1"]) as running:
        fake_smi(running)
        text = FLEET.format(config=running.config, known_hosts=running.known_hosts)
        (tmp_path / "fleet.yaml").write_text(text)
        yield running


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "GIGADECK_STATE_DIR": str(tmp_path / "state"),
        "GIGADECK_CONFIG_DIR": str(tmp_path / "config"),
    }


def console(tmp_path: Path, *options: str) -> list[str]:
    return gigadeck("--fleet", str(tmp_path / "fleet.yaml"), *options)


def journal(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "state" / "journal.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [event for event in map(json.loads, lines) if str(event.get("event", "")).startswith("shell_")]


def is_whole(text: str) -> bool:
    return all(word in text for word in ("n1", "g7", "lab › muc1", "q quit"))


def open_on_the_node(terminal: Terminal) -> None:
    terminal.wait_for("live 8/16")
    terminal.send(":goto n1\r")
    terminal.wait_for(is_whole)
    terminal.send("x")


def test_a_shell_in_place_of_the_console_and_the_screen_is_whole_afterwards(
    site: SshSite, environ: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(console(tmp_path), columns=100, environ=environ) as terminal:
        open_on_the_node(terminal)
        terminal.wait_until(lambda: terminal.restored)
        terminal.send("echo on-$NODE-$((6*7)); exit 3\r")
        terminal.wait_for("the shell ended with 3")
        assert "on-n1-42" in terminal.raw
        whole = terminal.wait_for(is_whole)
        assert "on-n1-42" not in whole
        terminal.send("q")
        assert terminal.wait_for_end() == 0
        assert terminal.modes == terminal.modes_before
    started, ended = journal(tmp_path)
    assert (started["event"], started["site"], started["node"]) == ("shell_started", "muc1", "n1")
    assert (ended["event"], ended["exit_code"]) == ("shell_ended", 3)
    assert ended["duration_s"] >= 0


def test_ctrl_c_and_ctrl_z_are_the_nodes_own(site: SshSite, environ: dict[str, str], tmp_path: Path) -> None:
    with Terminal(console(tmp_path), columns=100, environ=environ) as terminal:
        open_on_the_node(terminal)
        terminal.wait_until(lambda: terminal.restored)
        terminal.send("echo re''ady; sleep 60\r")
        terminal.wait_until(lambda: "ready" in terminal.raw, 30)
        terminal.send("\x03")
        terminal.send("sleep 60\r\x1a")
        terminal.send("kill %1; echo al''ive; exit\r")
        terminal.wait_for("the shell ended with")
        assert "alive" in terminal.raw
        assert not terminal.stopped()
        terminal.wait_for(is_whole)
        terminal.send("q")
        assert terminal.wait_for_end() == 0


def test_without_a_connection_the_reason_stays_until_it_was_read(
    site: SshSite, environ: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(console(tmp_path), columns=100, environ=environ) as terminal:
        terminal.wait_for("live 8/16")
        terminal.send(":goto n1\r")
        terminal.wait_for(is_whole)
        site.kill("n1")
        terminal.send("x")
        terminal.wait_until(lambda: "Enter leads back" in terminal.raw, 30)
        terminal.send("\r")
        terminal.wait_for("ended with 255: no connection")
        terminal.wait_for(is_whole)
        terminal.send("q")
        assert terminal.wait_for_end() == 0


def test_read_only_opens_no_shell_and_says_how_to(site: SshSite, environ: dict[str, str], tmp_path: Path) -> None:
    with Terminal(console(tmp_path, "--read-only"), columns=100, environ=environ) as terminal:
        open_on_the_node(terminal)
        terminal.wait_for("a shell can change things")
        assert not terminal.restored
        terminal.send("q")
        assert terminal.wait_for_end() == 0
    assert journal(tmp_path) == []


def test_a_login_that_is_asked_for_once_serves_the_sources_and_x(
    site: SshSite, environ: dict[str, str], tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(fleet.read_text().replace("jump: [jump]", "jump: [bastion]"))
    with bastion_beside(site) as host, Terminal(console(tmp_path), columns=100, environ=environ) as terminal:
        terminal.wait_for("live 0/16")
        terminal.send(":login muc1\r")
        terminal.wait_for("bastion asks")
        terminal.wait_for("One-time code:")
        terminal.send(f"{host.code}\r")
        terminal.wait_for("live 8/16", 60)
        terminal.send(":goto n1\r")
        terminal.wait_for(is_whole)
        terminal.send("x")
        terminal.wait_until(lambda: terminal.restored)
        terminal.send("echo on-$NODE-$((6*7)); exit\r")
        terminal.wait_for("the shell ended with 0")
        assert "on-n1-42" in terminal.raw
        terminal.send("q")
        assert terminal.wait_for_end() == 0
        assert host.logins == 1
        assert host.code not in terminal.raw
    assert host.code not in (tmp_path / "state" / "journal.jsonl").read_text()


def test_inside_tmux_a_shell_has_a_window_of_its_own(site: SshSite, environ: dict[str, str], tmp_path: Path) -> None:
    tmux = [require("tmux"), "-S", str(tmp_path / "tmux.sock"), "-f", "/dev/null"]

    def run(*words: str) -> str:
        done = subprocess.run(
            [*tmux, *words], capture_output=True, text=True, env={**os.environ, **environ}, timeout=20
        )
        return done.stdout

    with Terminal([*tmux, "new-session", "-s", "t", shlex.join(console(tmp_path))], 100, 24, environ) as terminal:
        try:
            terminal.wait_for("live 8/16")
            terminal.send(":goto n1\r")
            terminal.wait_for(lambda text: "g7" in text)
            terminal.send("x")
            terminal.wait_until(lambda: len(run("list-windows", "-t", "t").splitlines()) == 2, 30)
            assert "n1" in run("list-windows", "-t", "t", "-F", "#{window_name}").split()
            terminal.wait_until(lambda: [each["event"] for each in journal(tmp_path)] == ["shell_started"], 30)
            terminal.send("echo on-$NODE-$((6*7)); exit\r")
            terminal.wait_until(lambda: len(journal(tmp_path)) == 2, 30)
            terminal.wait_for(lambda text: "new tmux window" in text)
            terminal.send("q")
            terminal.wait_for_end()
        finally:
            run("kill-server")
    assert journal(tmp_path)[1]["exit_code"] == 0
