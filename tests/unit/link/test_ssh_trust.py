from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import asyncssh
import pytest

from console.link.ssh import trust
from console.link.ssh.hops import Hop
from console.link.ssh.identities import Identities, agent_identities
from console.link.ssh.route import Route, read_route
from console.link.ssh.trust import KnownHosts

if TYPE_CHECKING:
    from pathlib import Path


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


async def test_one_bad_line_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    key, authority = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    file = tmp_path / "known_hosts"
    file.write_text(
        f"# a comment\nnonsense\n@strange n1 {public(key)}\n[n1]:2222 {public(key)}\n"
        f"@cert-authority *.muc1.example {public(authority)}\n|1|x|y {public(key)}\n"
    )
    known = KnownHosts()
    route = Route("n1", "n1", 2222, "sre", known_hosts=(str(file), str(tmp_path / "absent")))
    assert len((await known.of(route)).keys) == 1
    other = Route("n2", "n2.muc1.example", 22, "sre", known_hosts=route.known_hosts)
    assert len((await known.of(other)).authorities) == 1
    assert known.warnings[:2] == tuple(f"{file} line {number}: is no known_hosts line" for number in (2, 3))


async def test_files_are_read_once_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = tmp_path / "known_hosts"
    file.write_text("")
    known, route = KnownHosts(), Route("n1", "n1", 22, "sre", known_hosts=(str(file),))
    read = mock.Mock(side_effect=trust._read)
    monkeypatch.setattr(trust, "_read", read)
    for _ in range(3):
        assert (await known.of(route)).keys == []
    assert read.call_count == 1
    file.write_text(f"n1 {public(key)}\n")
    assert len((await known.of(route)).keys) == 1


async def test_an_alias_is_looked_for_without_a_port(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = tmp_path / "known_hosts"
    file.write_text(f"tray7 {public(key)}\n")
    route = Route("n1", "n1", 2222, "sre", alias="tray7", known_hosts=(str(file),))
    assert len((await KnownHosts().of(route)).keys) == 1


async def test_a_command_may_know_hosts_that_files_do_not(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    program = tmp_path / "keys"
    program.write_text(f'#!/bin/sh\necho "$1 {public(key)}"\necho nonsense\n')
    program.chmod(0o755)
    text = f"hostname n1\nport 2222\nuser sre\nknownhostscommand {program} %H\n"
    route = read_route(Hop("n1"), text)
    assert route.known_hosts_command == (str(program), "[n1]:2222")
    known = KnownHosts()
    assert len((await known.of(route)).keys) == 1
    assert known.warnings == (f"what {program}, line 2: is no known_hosts line".replace(",", " printed,"),)


@pytest.mark.parametrize(("script", "words"), [("exit 3", "ended with 3"), ("", "cannot be run")])
async def test_a_command_that_fails_is_said(tmp_path: Path, script: str, words: str) -> None:
    program = tmp_path / "keys"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    known = KnownHosts()
    trusted = await known.of(Route("n1", "n1", 22, "sre", known_hosts_command=(str(program),)))
    assert trusted.keys == []
    assert words in known.warnings[0]


async def test_keys_with_a_passphrase_are_left_to_the_agent_and_said(tmp_path: Path) -> None:
    plain, locked = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    plain.write_private_key(tmp_path / "plain")
    (tmp_path / "locked").write_bytes(locked.export_private_key("pkcs8-pem", passphrase="secret"))
    (tmp_path / "broken").write_text("no key\n")
    names = tuple(str(tmp_path / name) for name in ("plain", "locked", "broken", "absent"))
    identities = Identities()
    offered = await identities.of(Route("n1", "n1", 22, "sre", keys=names))
    assert [key.public_data for key in offered] == [plain.public_data]
    assert "locked needs a passphrase; add it to an agent" in identities.warnings[0]
    assert "broken cannot be read" in identities.warnings[1]
    assert "secret" not in " ".join(identities.warnings)


async def test_a_certificate_is_offered_with_its_key_alone(tmp_path: Path) -> None:
    authority, mine, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    for name, key in (("mine", mine), ("other", other)):
        key.write_private_key(tmp_path / name)
        certificate = authority.generate_user_certificate(key, name, principals=["sre"])
        certificate.write_certificate(tmp_path / f"{name}-cert.pub")
    route = Route(
        "n1", "n1", 22, "sre", keys=(str(tmp_path / "mine"),), certificates=(str(tmp_path / "other-cert.pub"),)
    )
    offered = await Identities().of(route)
    assert [isinstance(each, tuple) for each in offered] == [True, False]
    assert offered[0][1].key.public_data == mine.public_data


async def test_no_keys_at_all_must_not_read_as_the_default_ones() -> None:
    offered = await Identities().of(Route("n1", "n1", 22, "sre"))
    assert list(offered) == []
    assert bool(offered) is True


def test_an_agents_keys_are_limited_where_ssh_limits_them(tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text("x")
    keys = (str(tmp_path / "id"), str(tmp_path / "absent"))
    assert agent_identities(Route("n1", "n1", 22, "sre", keys=keys)) is None
    limited = Route("n1", "n1", 22, "sre", keys=keys, identities_only=True)
    assert agent_identities(limited) == [str(tmp_path / "id.pub")]
