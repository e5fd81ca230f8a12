from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.servers.sshd import ssh_site
from tests.support.cli import gigadeck
from tests.support.servers import require

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """\
fleet: lab
sites:
  - name: muc1
    inventory: {file: muc1.csv}
    ssh: {user: sre, jump: [ops@jump.muc1.example:2222], address: '{node}.mgmt.muc1.example'}
    sources: [{kind: ssh}]
  - name: hel1
    inventory: {file: hel1.csv}
    sources: [{kind: ssh}]
  - name: lab
    layout: '^(?P<node>lab-n\\d+)$'
    sources: [{kind: nvml}]
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    require("ssh", "openssh-client")
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "muc1.csv").write_text("node,hall,rack,aliases\nn0001,h1,r1,alpha\nn0002,h1,r1,\n")
    (tmp_path / "hel1.csv").write_text("node,hall,rack,aliases\nn0002,h1,r1,\nn0003,h1,r1,alpha2\n")
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return str(tmp_path / "fleet.yaml")


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("n0001", "n0001.mgmt.muc1.example"),
        ("alpha", "n0001.mgmt.muc1.example"),
        ("muc1:n0002", "n0002.mgmt.muc1.example"),
        ("hel1:n0002", "n0002"),
        ("muc1/h1/r1/n0002", "n0002.mgmt.muc1.example"),
        ("muc1/h1/r1/n0002/g3", "n0002.mgmt.muc1.example"),
        ("lab-n7", "lab-n7"),
        ("lab:anything", "anything"),
    ],
)
def test_a_node_is_found_by_every_name(fleet: str, target: str, host: str) -> None:
    said = gigadeck("--fleet", fleet, "ssh", "--print", target)
    assert said.code == 0, said.err
    line = shlex.split(said.out)
    assert line[-2:] == ["--", host]
    with open(line[line.index("-F") + 1]) as file:
        text = file.read()
    assert ("ProxyJump ops@jump.muc1.example:2222" in text) == ("mgmt" in host)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("n0002", "known more than once: muc1:n0002, hel1:n0002"),
        ("n0009", "no inventory knows a node"),
        ("osl1:n1", "there is no site"),
        ("muc1:n0003", "no inventory knows a node"),
        ("-oProxyCommand=touch x", "No such option"),
        ("muc1:-oProxyCommand=x", "names no node"),
    ],
)
def test_a_name_that_leads_to_no_single_node_lists_the_matches(fleet: str, target: str, words: str) -> None:
    said = gigadeck("--fleet", fleet, "ssh", "--print", target)
    assert said.code == 2
    assert words in said.err


def test_the_demo_has_no_nodes_to_log_in_to() -> None:
    said = gigadeck("--fleet", "demo", "ssh", "n1")
    assert said.code == 2
    assert "the demo has no nodes" in said.err


def test_a_window_needs_tmux(fleet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    said = gigadeck("--fleet", fleet, "ssh", "--window", "n0001")
    assert said.code == 2
    assert "this is no tmux" in said.err


@pytest.mark.server
def test_a_window_of_tmux_stays_to_say_that_there_is_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmux, socket = require("tmux"), f"gigadeck-{os.getpid()}"
    (tmp_path / "config").write_text("Host n1\n  HostName 127.0.0.1\n  Port 1\n")
    ssh = f"{{config: {tmp_path}/config}}"
    (tmp_path / "fleet.yaml").write_text(
        f"fleet: x\nsites:\n  - name: lab\n    ssh: {ssh}\n    sources: [{{kind: ssh}}]\n"
    )
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))

    def run(*arguments: str) -> str:
        command = [tmux, "-L", socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    run("new-session", "-d", "-x", "100", "-y", "24", "sleep 600")
    try:
        monkeypatch.setenv("TMUX", run("display-message", "-p", "#{socket_path},#{pid},0").strip())
        said = gigadeck("--fleet", str(tmp_path / "fleet.yaml"), "ssh", "--window", "n1")
        assert said.code == 0, said.err
        deadline = time.monotonic() + 30
        shown = ""
        while "Enter closes this window" not in shown and time.monotonic() < deadline:
            time.sleep(0.1)
            shown = run("capture-pane", "-p", "-t", ":n1")
        assert "Connection refused" in shown
        run("send-keys", "-t", ":n1", "Enter")
        while "n1" in run("list-windows") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "n1" not in run("list-windows")
    finally:
        run("kill-server")


@pytest.mark.server
def test_a_command_on_a_real_node_behind_a_jump_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "sshd"
    folder.mkdir()
    with ssh_site(folder, ["n1"]) as site:
        ssh = f"{{jump: [jump], config: {site.config}, known_hosts: {site.known_hosts}}}"
        (tmp_path / "fleet.yaml").write_text(
            f"fleet: x\nsites:\n  - name: lab\n    ssh: {ssh}\n    sources: [{{kind: ssh}}]\n"
        )
        log = tmp_path / "log"
        command = [sys.executable, "-m", "console", "--fleet", str(tmp_path / "fleet.yaml"), "--log-file", str(log)]
        run = subprocess.run(
            [*command, "ssh", "n1", "echo", "on", "$NODE;", "exit", "7"],
            capture_output=True, text=True, timeout=60, env=dict(os.environ), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (run.returncode, run.stdout) == (7, "on n1\n"), run.stderr
        assert "Accepted publickey" in site.log("jump")
        assert "lab/n1: shell starts" in log.read_text()
        assert "lab/n1: shell ends with 7" in log.read_text()
        started, ended = map(json.loads, (tmp_path / "state" / "journal.jsonl").read_text().splitlines())
        assert (started["event"], started["site"], started["node"], started["host"]) == (
            "shell_started",
            "lab",
            "n1",
            "n1",
        )
        assert (ended["event"], ended["exit_code"]) == ("shell_ended", 7)


def test_read_only_opens_no_shell(fleet: str) -> None:
    said = gigadeck("--fleet", fleet, "--read-only", "ssh", "n0001")
    assert said.code == 5
    assert "a shell can change things" in said.err
    assert gigadeck("--fleet", fleet, "--read-only", "ssh", "--print", "n0001").code == 0


@pytest.mark.parametrize(("target", "code"), [("muc1:n9999", 0), ("nowhere:n1", 2), ("muc1:", 2), ("muc1:-oX", 2)])
def test_a_node_that_no_inventory_lists_may_be_taken_as_it_is(fleet: str, target: str, code: int) -> None:
    said = gigadeck("--fleet", fleet, "ssh", "--unlisted", "--print", target)
    assert said.code == code, said.err
    assert code or said.out.strip().endswith("-- n9999.mgmt.muc1.example")
