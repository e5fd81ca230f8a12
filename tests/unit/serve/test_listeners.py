from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.config.serve_values import ServeConfig, ServeTls, SocketConfig
from console.model.errors import ConsoleError
from console.serve.listeners import advertised, is_reachable, more_descriptors, open_listeners
from console.serve.systemd import Notifier, passed_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gdl") as name:
        yield Path(name)


def unix(path: Path, **more: object) -> ServeConfig:
    return ServeConfig(listen="off", socket=SocketConfig(str(path), **more))  # type: ignore[arg-type]  # as a test gives them


def test_a_socket_has_its_mode_and_leaves_no_file(folder: Path) -> None:
    path = folder / "s"
    (listener,) = open_listeners(unix(path, mode=0o600), [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (listener.url, listener.tls) == (str(path), False)
    listener.close()
    assert not path.exists()


def test_what_a_crash_left_behind_is_taken_away(folder: Path) -> None:
    path = folder / "s"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    open_listeners(unix(path), [])[0].close()


def test_what_is_somebody_elses_stays(folder: Path) -> None:
    path = folder / "s"
    path.write_text("mine")
    with pytest.raises(ConsoleError, match="is no socket"):
        open_listeners(unix(path), [])
    assert path.read_text() == "mine"
    other = folder / "t"
    (taken,) = open_listeners(unix(other), [])
    with pytest.raises(ConsoleError, match="somebody listens"):
        open_listeners(unix(other), [])
    taken.close()


def test_a_group_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(ConsoleError, match="there is no group no-such-group"):
        open_listeners(unix(folder / "s", group="no-such-group"), [])


def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(ConsoleError, match="cannot be opened"):
        open_listeners(unix(folder / "none" / "s"), [])


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_beyond_this_machine_only_with_tls_or_a_proxy_that_ends_it(listen: str) -> None:
    with pytest.raises(ConsoleError, match="there is no TLS"):
        open_listeners(ServeConfig(listen=listen), [])
    (listener,) = open_listeners(ServeConfig(listen=listen, tls=ServeTls(plain=True)), [])
    listener.close()


def test_a_socket_of_systemd_beyond_this_machine_is_held_to_the_same() -> None:
    with socket.socket() as passed:
        passed.bind(("0.0.0.0", 0))
        with pytest.raises(ConsoleError, match="there is no TLS"):
            open_listeners(ServeConfig(), [passed])


def test_nowhere_to_listen_is_a_fault() -> None:
    with pytest.raises(ConsoleError, match="nobody could reach it"):
        open_listeners(ServeConfig(listen="off"), [])


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConsoleError, match="choose another"):
            open_listeners(ServeConfig(listen=f"127.0.0.1:{taken.getsockname()[1]}"), [])


def test_others_are_told_the_configured_address_else_a_url_else_the_socket(folder: Path) -> None:
    config = ServeConfig(listen="127.0.0.1:0", socket=SocketConfig(str(folder / "s")))
    listeners = open_listeners(config, [])
    assert advertised(config, listeners).startswith("http://127.0.0.1:")
    assert advertised(ServeConfig(advertise="https://h:1"), listeners) == "https://h:1"
    assert advertised(config, listeners[:1]) == str(folder / "s")
    for each in listeners:
        each.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://serve1.example:8470", True),
        ("http://10.0.0.1:8470", True),
        ("http://127.0.0.1:8470", False),
        ("http://[::1]:8470", False),
        ("http://0.0.0.0:8470", False),
        ("http://localhost:8470", False),
        ("/run/gigadeck.sock", False),
    ],
)
def test_which_addresses_lead_here_from_elsewhere(address: str, expected: bool) -> None:
    assert is_reachable(address) is expected


def test_as_many_connections_as_descriptors_allow() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert more_descriptors(100) == 100
        assert more_descriptors(10**9) < before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_systemd_nothing_is_told_or_taken() -> None:
    notifier = Notifier({})
    notifier.ready("x")
    notifier.alive()
    assert notifier.watchdog_s == 0
    assert passed_sockets({}) == []
    assert passed_sockets({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}) == []
    Notifier({"NOTIFY_SOCKET": "/no/such/socket"}).ready("x")
    assert Notifier({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}).watchdog_s == 0
    assert Notifier({"WATCHDOG_USEC": "3000000"}).watchdog_s == 3.0
