"""Where asyncssh's own reader of ssh_config differs from OpenSSH: what OpenSSH says counts."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import SshConfig
from console.link.ssh.hops import Hop
from console.link.ssh.identities import agent_identities
from console.link.ssh.openssh import OpenSsh
from console.link.ssh.route import home_folder
from console.model.errors import SourceError
from tests.support.servers import require

if TYPE_CHECKING:
    from pathlib import Path

    from console.link.ssh.route import Route


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("ssh", "openssh-client")
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))


async def route(tmp_path: Path, text: str, host: str = "n1", **site: Any) -> Route:
    (tmp_path / "config").write_text(text.replace("@TMP@", str(tmp_path)))
    return await OpenSsh("lab", "ssh", SshConfig(config=str(tmp_path / "config"), **site)).resolve(Hop(host))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Host n1\n  Port 2222 # behind the firewall\n", "port", 2222),
        ("Host n1\n  ServerAliveInterval 1m\n  Port 2222\n", "port", 2222),
        ("Host n1\n  ConnectTimeout none\n", "connect_timeout_s", 0.0),
        ("Host n1\n  ConnectTimeout 1m\n", "connect_timeout_s", 60.0),
        ("Host n1\n  HostName %h.mgmt.example\n", "host", "n1.mgmt.example"),
        ("Host n1\n  HostName=10.0.0.1\n", "host", "10.0.0.1"),
        ("Host n1\n  User \"ada lovelace\"\n", "user", "ada lovelace"),
        ("Host *\n  ControlMaster auto\n  ControlPath /tmp/%C\n  ControlPersist 10m\n  Port 2222\n", "port", 2222),
        ("Host *\n  LocalForward 8080 localhost:80\n  AddKeysToAgent yes\n  Port 2222\n", "port", 2222),
        ("Host *\n  HostKeyAlias alias-of-%n\n  Port 2222\n", "port", 2222),
        ("Host n1\n  Port 2222\nHost n1\n  Port 3333\n", "port", 2222),
        ("Host n* !n1\n  Port 2222\n", "port", 22),
        ("Host !n2 n*\n  Port 2222\n", "port", 2222),
        ("Host n?\n  Port 2222\n", "port", 2222),
        ("HOST n1\n  pOrT 2222\n", "port", 2222),
        ("Match exec \"test %h = n1\"\n  Port 2222\n", "port", 2222),
        ("Match exec \"test %h = n2\"\n  Port 2222\n", "port", 22),
        ("Match host n1 user ada\n  Port 2222\nHost n1\n  User ada\n", "port", 22),
        ("Host n1\n  User ada\nMatch host n1 user ada\n  Port 2222\n", "port", 2222),
        ("Match originalhost n1\n  HostName 10.0.0.9\nMatch host 10.0.0.9\n  Port 2222\n", "port", 2222),
        ("Match localuser @ME@\n  Port 2222\n", "port", 2222),
        ("Match all\n  Port 2222\n", "port", 2222),
        ("Match final host n1\n  Port 2222\n", "port", 2222),
        ("Host n1\n  HostName 10.0.0.9\nMatch final host 10.0.0.9\n  Port 2222\n", "port", 2222),
        ("Host *\n  IdentityAgent none\n", "agent", ""),
        ("Host *\n  IdentityAgent ~/agent.sock\n", "agent", "@HOME@/agent.sock"),
        ("Host *\n  IdentityAgent /run/%u/%h.sock\n", "agent", "/run/@ME@/n1.sock"),
        ("Host *\n  IdentityFile ~/.ssh/%h_%r\n  User ada\n", "keys", ("@HOME@/.ssh/n1_ada",)),
        ("Host *\n  IdentityFile /k/%n-%p-%%\n", "keys", ("/k/n1-22-%",)),
        ("Host *\n  CertificateFile /c/%h-cert.pub\n", "certificates", ("/c/n1-cert.pub",)),
        ("UserKnownHostsFile /k/%h /k/all\nGlobalKnownHostsFile none\n", "known_hosts", ("/k/n1", "/k/all")),
        ("Host *\n  UserKnownHostsFile /dev/null\n  GlobalKnownHostsFile /g\n", "known_hosts", ("/dev/null", "/g")),
        ("Host *\n  ProxyJump a,ada@b:2222\n", "jump", (Hop("a"), Hop("b", "ada", 2222))),
        ("Host *\n  ProxyJump ssh://ada@b:2222\n", "jump", (Hop("b", "ada", 2222),)),
        ("Host *\n  ProxyJump [2001:db8::1]:2222\n", "jump", (Hop("2001:db8::1", "", 2222),)),
        ("Host n1\n  ProxyJump none\nHost *\n  ProxyJump a\n", "jump", ()),
        ("Host *\n  ProxyCommand nc -X connect %h %p\n  ProxyJump a\n", "proxy_command", "nc -X connect n1 22"),
        ("Host *\n  ProxyJump a\n  ProxyCommand nc %h %p\n", "jump", (Hop("a"),)),
        ("Host *\n  KnownHostsCommand /bin/keys %H %t %f\n", "known_hosts_command", None),
        ("Host *\n  KnownHostsCommand /bin/keys %H %I\n", "known_hosts_command", ("/bin/keys", "n1", "HOSTNAME")),
        ("Host n1\n  CanonicalizeHostname yes\n  CanonicalDomains example.invalid\n  Port 2222\n", "port", 2222),
        ("Host *\n  IdentitiesOnly yes\n", "identities_only", True),
    ],
)  # fmt: skip
async def test_what_openssh_understands(tmp_path: Path, text: str, name: str, value: Any) -> None:
    def whole(each: Any) -> Any:
        return (
            each.replace("@HOME@", home_folder()).replace("@ME@", getpass.getuser()) if isinstance(each, str) else each
        )

    wanted = tuple(whole(each) for each in value) if isinstance(value, tuple) else whole(value)
    if value is None:  # OpenSSH takes tokens that only a login knows; they are refused by name, not guessed
        with pytest.raises(SourceError, match=r"the token %t in .* cannot be used here"):
            await route(tmp_path, whole(text))
        return
    assert getattr(await route(tmp_path, whole(text)), name) == wanted


async def test_includes_by_pattern_in_a_block_of_one_host_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1.conf").write_text("Port 2222\nHost n2\n  User bob\n")
    (tmp_path / "d" / "2.conf").write_text("Host n1\n  User ada\n")
    text = "Host n1\n  Include @TMP@/d/*.conf\n  Include @TMP@/none/*.conf\nHost *\n  User other\n"
    found = await route(tmp_path, text)
    assert (found.port, found.user) == (2222, "ada")
    found = await route(tmp_path, text, "n2")
    assert (found.port, found.user) == (22, "other")  # what is included for n1 says nothing of n2


async def test_an_include_inside_an_include_and_what_follows_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Host n9\n  Include @TMP@/b\n".replace("@TMP@", str(tmp_path)))
    (tmp_path / "b").write_text("Host *\n  Port 9999\n")
    text = "Include @TMP@/a\nHost n1\n  Port 2222\n"
    assert (await route(tmp_path, text)).port == 2222
    assert (await route(tmp_path, text, "n9")).port == 9999


async def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_TEST_KEYS", "/keys")
    assert (await route(tmp_path, "Host *\n  IdentityFile ${GIGADECK_TEST_KEYS}/id\n")).keys == ("/keys/id",)
    monkeypatch.delenv("GIGADECK_TEST_KEYS")
    with pytest.raises(SourceError, match=r"GIGADECK_TEST_KEYS.* (is not set|has no value)"):
        await route(tmp_path, "Host *\n  IdentityFile ${GIGADECK_TEST_KEYS}/id\n")


@pytest.mark.parametrize("line", ["Port twenty", "NoSuchKeyword yes", "TCPKeepAlive maybe", "Match nonsense x"])
async def test_a_line_that_openssh_refuses_is_named_with_its_file(tmp_path: Path, line: str) -> None:
    with pytest.raises(SourceError, match=r"lab/ssh: OpenSSH cannot read its configuration: .*config.* 2"):
        await route(tmp_path, f"Host *\n{line}\n")


async def test_the_sites_own_command_for_host_keys_comes_first(tmp_path: Path) -> None:
    text = "Host *\n  KnownHostsCommand /bin/users %H\n"
    found = await route(tmp_path, text, known_hosts_command=("/bin/site", "%H"))
    assert found.known_hosts_command == ("/bin/site", "n1")
    assert (await route(tmp_path, text)).known_hosts_command == ("/bin/users", "n1")


async def test_only_the_named_identities_of_an_agent_are_offered(tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA\n")
    limited = await route(tmp_path, "Host *\n  IdentitiesOnly yes\n  IdentityFile @TMP@/id\n")
    assert agent_identities(limited) == [str(tmp_path / "id.pub")]
    assert agent_identities(await route(tmp_path, "Host *\n  IdentityFile @TMP@/id\n")) is None
