from __future__ import annotations

import os

import pytest

from console.config.serve_values import Roles
from console.serve.who import (
    Bearer,
    Caller,
    Identities,
    NotAllowedError,
    NoTokens,
    PeerInfo,
    Role,
    needs,
)

ROLES = Roles(operator=("cn:ada", "token:ci", "user:daemon"), approver=("cn:grace@example.org",))


class OneToken:
    def find(self, token: str) -> Bearer | None:
        known = {"good": Bearer("watcher", Role.VIEWER), "ci": Bearer("ci", Role.VIEWER)}
        return known.get(token)


def ids(roles: Roles = ROLES) -> Identities:
    return Identities(roles, OneToken(), lambda: 0.0)


def tcp(address: str = "127.0.0.1", names: tuple[str, ...] = ()) -> PeerInfo:
    return PeerInfo("tcp", address, names=names)


LOCAL = {b"host": b"127.0.0.1:8470"}


def test_a_role_may_do_what_the_ones_before_it_may() -> None:
    needs(Caller("a", Role.APPROVER, "socket"), Role.OPERATOR)
    with pytest.raises(NotAllowedError, match=r"a \(socket\) is viewer, this needs operator"):
        needs(Caller("a", Role.VIEWER, "socket"), Role.OPERATOR)


def test_nothing_proves_nobody() -> None:
    assert ids().caller(None, LOCAL) is None
    assert ids().caller(tcp("10.0.0.1"), LOCAL) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("ada",), Caller("ada", Role.OPERATOR, "certificate")),
        (("Grace", "grace@example.org"), Caller("Grace", Role.APPROVER, "certificate")),
        (("eve",), Caller("eve", Role.VIEWER, "certificate")),
    ],
)
def test_certificates_by_name(names: tuple[str, ...], expected: Caller) -> None:
    assert ids().caller(tcp("10.0.0.1", names), {}) == expected


def test_tokens_have_their_own_role_unless_the_file_gives_them_another() -> None:
    assert ids().caller(tcp(), {b"authorization": b"Bearer good"}) == Caller("watcher", Role.VIEWER, "token")
    assert ids().caller(tcp(), {b"authorization": b"bearer ci"}) == Caller("ci", Role.OPERATOR, "token")


@pytest.mark.parametrize("sent", [b"Bearer bad", b"Bearer ", b"Bearer", b"Basic Z29vZA==", b"\xff\xfe good"])
def test_a_credential_that_does_not_hold_is_worse_than_none(sent: bytes) -> None:
    assert ids().caller(tcp(), {**LOCAL, b"authorization": sent}) is None
    own = PeerInfo("unix", uid=os.getuid(), gid=os.getgid())
    assert ids().caller(own, {b"authorization": sent}) is None


@pytest.mark.parametrize("host", [b"127.0.0.1:8470", b"localhost", b"LOCALHOST:1", b"[::1]:8470", b"[::1]"])
def test_this_machine_may_look(host: bytes) -> None:
    caller = ids().caller(tcp("::1" if b"[" in host else "127.0.0.1"), {b"host": host})
    assert caller == Caller("anonymous", Role.VIEWER, "loopback")


@pytest.mark.parametrize(
    "headers",
    [
        {b"host": b"evil.example"},
        {},
        {**LOCAL, b"x-forwarded-for": b"10.0.0.1"},
        {**LOCAL, b"forwarded": b"for=10.0.0.1"},
        {**LOCAL, b"via": b"1.1 proxy"},
    ],
)
def test_a_page_led_here_and_what_a_proxy_brings_are_nobody(headers: dict[bytes, bytes]) -> None:
    assert ids().caller(tcp(), headers) is None


def test_this_machine_may_be_kept_from_looking() -> None:
    assert ids(Roles(loopback="none")).caller(tcp(), LOCAL) is None


def test_the_other_end_of_a_socket_is_a_user_of_this_system() -> None:
    import pwd

    own = ids().caller(PeerInfo("unix", uid=os.getuid(), gid=os.getgid()), {})
    assert own is not None
    assert (own.author, own.via) == (pwd.getpwuid(os.getuid()).pw_name, "socket")
    assert own.role >= Role.OPERATOR  # who runs the process could write the memory anyway
    daemon = pwd.getpwnam("daemon")
    assert ids().caller(PeerInfo("unix", uid=daemon.pw_uid, gid=daemon.pw_gid), {}) == Caller(
        "daemon", Role.OPERATOR, "socket"
    )


def test_groups_count_and_the_highest_role_wins() -> None:
    import grp
    import pwd

    daemon = pwd.getpwnam("daemon")
    group = grp.getgrgid(daemon.pw_gid).gr_name
    roles = Roles(viewer=("user:daemon",), approver=(f"group:{group}",))
    caller = Identities(roles, NoTokens(), lambda: 0.0).caller(
        PeerInfo("unix", uid=daemon.pw_uid, gid=daemon.pw_gid), {}
    )
    assert caller is not None
    assert caller.role is Role.APPROVER


def test_a_user_that_the_system_does_not_know_is_called_by_number() -> None:
    caller = ids().caller(PeerInfo("unix", uid=3_999_999, gid=3_999_999), {})
    assert caller == Caller("uid 3999999", Role.VIEWER, "socket")
