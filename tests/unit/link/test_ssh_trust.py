from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh

from console.link.ssh.identities import Identities, agent_identities
from console.link.ssh.route import Route
from console.link.ssh.trust import KnownHosts, trusted_keys

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
    hosts = await known.of(route)
    assert len(trusted_keys(hosts, route)[0]) == 1
    assert len(trusted_keys(hosts, Route("n2", "n2.muc1.example", 22, "sre"))[1]) == 1
    assert known.warnings[:2] == tuple(f"{file} line {number}: is no known_hosts line" for number in (2, 3))


async def test_files_are_read_once_until_they_change(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = tmp_path / "known_hosts"
    file.write_text("")
    known, route = KnownHosts(), Route("n1", "n1", 22, "sre", known_hosts=(str(file),))
    first = await known.of(route)
    assert await known.of(route) is first
    file.write_text(f"n1 {public(key)}\n")
    assert len(trusted_keys(await known.of(route), route)[0]) == 1


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
