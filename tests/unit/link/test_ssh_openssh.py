from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from console.config.values import SshConfig
from console.link.ssh.alike import host_patterns, signature
from console.link.ssh.hops import Hop, read_hop, read_hops
from console.link.ssh.openssh import OpenSsh, config_text, write_config
from console.link.ssh.route import read_route
from console.model.errors import SourceError
from tests.support.servers import require


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("jump", Hop("jump")),
        ("sre@jump.example:2222", Hop("jump.example", "sre", 2222)),
        ("ssh://sre@jump:22", Hop("jump", "sre", 22)),
        ("[2001:db8::1]:22", Hop("2001:db8::1", "", 22)),
        ("a.b@jump", Hop("jump", "a.b")),
    ],
)
def test_every_spelling_of_a_jump_host(text: str, hop: Hop) -> None:
    assert read_hop(text) == hop
    assert read_hop(str(hop)) == hop


@pytest.mark.parametrize("text", ["", "-oProxyCommand=x", "a b", "jump:0", "jump:99999", "a@b@c", "x\ny"])
def test_what_is_no_jump_host(text: str) -> None:
    with pytest.raises(ValueError, match="user@host:port"):
        read_hop(text)


def test_chains_of_jump_hosts() -> None:
    assert read_hops("none") == ()
    assert read_hops("a,b@c:22") == (Hop("a"), Hop("c", "b", 22))
    with pytest.raises(ValueError, match="a chain of 9"):
        read_hops(",".join("abcdefghi"))


def test_the_sites_settings_come_first_and_spare_the_jump_hosts() -> None:
    text = config_text(SshConfig(user="sre", jump=("ops@j1:2222", "j2"), port=2200, known_hosts="/a b/known"))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[1:7] == [
        "Host * !j1 !j2",
        "ProxyJump ops@j1:2222,j2",
        "Port 2200",
        "Host *",
        "User sre",
        'UserKnownHostsFile "/a b/known"',
    ]
    assert "Include ~/.ssh/config" in lines


@pytest.mark.parametrize("bad", ['a"b', "a\nProxyCommand x"])
def test_nothing_can_be_smuggled_into_the_configuration(bad: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        config_text(SshConfig(user=bad))


def resolved(text: str, **more: str) -> str:
    lines = {"hostname": "n1.example", "port": "22", "user": "sre", **more}
    return "\n".join(f"{key} {value}" for key, value in lines.items()) + "\n" + text


def test_a_route_is_what_ssh_says() -> None:
    text = resolved(
        "identityfile ~/.ssh/id_a\nidentityfile %d/.ssh/id_%r_%h\n", proxyjump="a,b@c:2", identityagent="none"
    )
    route = read_route(Hop("n1"), text)
    home = os.path.expanduser("~root") if os.getuid() == 0 else str(Path.home())
    assert route.keys == (f"{home}/.ssh/id_a", f"{home}/.ssh/id_sre_n1.example")
    assert route.jump == (Hop("a"), Hop("c", "b", 2))
    assert (route.host, route.port, route.user, route.agent) == ("n1.example", 22, "sre", "")


def test_known_hosts_files_may_be_many_and_hold_blanks() -> None:
    route = read_route(Hop("n1"), resolved("", userknownhostsfile='"/a b" /c', globalknownhostsfile="/d none"))
    assert route.known_hosts == ("/a b", "/c", "/d")


def test_a_proxy_command_is_ready_to_run() -> None:
    route = read_route(Hop("n1"), resolved("", proxycommand="nc -x proxy:1080 %h %p # %n %% %r"))
    assert route.proxy_command == "nc -x proxy:1080 n1.example 22 # n1 % sre"
    with pytest.raises(ValueError, match="%T"):
        read_route(Hop("n1"), resolved("", proxycommand="nc %T"))


@pytest.mark.parametrize(("said", "lenient"), [("ask", False), ("true", False), ("false", True), ("accept-new", True)])
def test_lenience_about_host_keys_is_noticed(said: str, lenient: bool) -> None:
    assert read_route(Hop("n1"), resolved("", stricthostkeychecking=said)).lenient is lenient


@pytest.mark.server
async def test_openssh_reads_its_own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("ssh", "openssh-client")
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "more").write_text("Host n*\n  Hostname %h.muc1.example\n  Port 2201 # a comment\n")
    (tmp_path / "config").write_text(f"ServerAliveInterval 1m\nInclude {tmp_path}/more\nMatch exec true\n  User ops\n")
    ssh = OpenSsh("muc1", "ssh", SshConfig(jump=("jump:2222",), config=str(tmp_path / "config")))
    node = await ssh.resolve(Hop("n0001"))
    assert (node.host, node.port, node.user) == ("n0001.muc1.example", 2201, "ops")
    assert node.jump == (Hop("jump", "", 2222),)
    assert (await ssh.resolve(Hop("jump"))).jump == ()
    assert ssh.config_file().stat().st_mode & 0o777 == 0o600


@pytest.mark.server
async def test_a_line_that_openssh_cannot_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("ssh", "openssh-client")
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "config").write_text("User sre\nPort many\n")
    ssh = OpenSsh("muc1", "ssh", SshConfig(config=str(tmp_path / "config")))
    with pytest.raises(SourceError, match=r"config.* line 2: Bad port"):
        await ssh.resolve(Hop("n1"))


async def test_without_openssh_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SourceError, match="muc1/ssh: OpenSSH's client is not installed here"):
        await OpenSsh("muc1", "ssh", SshConfig()).resolve(Hop("n1"))


class Counted(OpenSsh):
    """Counts how often ssh is asked."""

    asked = 0

    async def _ask(self, hop: Hop) -> str:
        self.asked += 1
        return await super()._ask(hop)


def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, **more: object) -> Counted:
    require("ssh", "openssh-client")
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "config").write_text(text)
    return Counted("muc1", "ssh", SshConfig(jump=("jump",), config=str(tmp_path / "config")), **more)  # type: ignore[arg-type]


@pytest.mark.server
async def test_hosts_that_are_alike_are_asked_for_twice_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Host n*\n  Hostname %h.muc1.example\n  IdentityFile ~/.ssh/%n\nHost g*\n  Port 2\nHost n0007\n  User ops\n"
    ssh = counted(tmp_path, monkeypatch, text)
    routes = {name: await ssh.resolve(Hop(name)) for name in (f"n{i:04d}" for i in range(20))}
    alone = OpenSsh("muc1", "ssh", SshConfig(jump=("jump",), config=str(tmp_path / "config")))
    for name in ("n0000", "n0007", "n0013", "n0019"):
        monkeypatch.setattr(alone, "_group", lambda hop: None)
        assert await alone.resolve(Hop(name)) == routes[name]
    assert ssh.asked == 3
    assert (routes["n0013"].host, routes["n0007"].user) == ("n0013.muc1.example", "ops")
    assert (await ssh.resolve(Hop("g1"))).port == 2
    assert (await ssh.resolve(Hop("jump"))).jump == ()


@pytest.mark.server
@pytest.mark.parametrize(
    "text", ["Match exec true\n  User ops\n", "Match host n*\n  User ops\n", "CanonicalizeHostname yes\n"]
)
async def test_hosts_are_asked_for_one_by_one_where_more_than_names_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    ssh = counted(tmp_path, monkeypatch, text)
    for name in ("n1", "n2", "n3", "n4"):
        await ssh.resolve(Hop(name))
    assert ssh.asked == 4


@pytest.mark.server
async def test_a_conclusion_that_ssh_does_not_bear_out_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = counted(tmp_path, monkeypatch, "Host n*\n  Hostname n1.example\n")  # looks as if it held the name
    hosts = [(await ssh.resolve(Hop(f"n{i}"))).host for i in (1, 2, 3, 4)]
    assert hosts == ["n1.example"] * 4
    assert ssh.asked == 4


@pytest.mark.server
async def test_a_configuration_that_changes_is_noticed_within_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    ssh = counted(tmp_path, monkeypatch, "User one\n", monotonic=lambda: now[0])
    assert [(await ssh.resolve(Hop(f"n{i}"))).user for i in range(3)] == ["one"] * 3
    (tmp_path / "config").write_text("User two\n")
    now[0] += 61
    assert (await ssh.resolve(Hop("n2"))).user == "two"


def test_patterns_of_included_files_count(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text('Host=a* !ab "c d" # x\n')
    (tmp_path / "config").write_text(f"Include {tmp_path}/*.conf\nhost n?\nMatch final all\n")
    patterns = host_patterns(tmp_path / "config")
    assert patterns == (("a*", "!ab", "c d"), ("n?",))
    assert [signature(patterns, name) for name in ("ax", "ab", "n1", "n12")] == [
        (True, False), (False, False), (False, True), (False, False),
    ]  # fmt: skip


def test_configurations_of_long_ago_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path))
    first = write_config("muc1", "User one\n")
    other = write_config("muc1-b", "User one\n")
    for each in (first, other):
        os.utime(each, (0, 0))
    second = write_config("muc1", "User two\n")
    assert sorted(tmp_path.glob("ssh/*")) == sorted([other, second])
