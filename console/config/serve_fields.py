"""How the `serve:` section of a fleet file is read: listeners, roles, the other serve, heartbeat, limits, retention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cattrs import Converter

from console.config.serve_values import (
    Heartbeat,
    Peer,
    Receiver,
    Retention,
    Roles,
    ServeConfig,
    ServeLimits,
    ServeTls,
    SocketConfig,
)
from console.config.structure import Fault, described, number, one_of, record, text
from console.config.text_fields import between, count, hooked, one_or_more, path_from, positive, url
from console.config.units import duration_s, size_bytes

LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})")
OFF = "off"
LONGEST_SOCKET = 100  # bytes of a socket's path that every system takes
_MEMBER = re.compile(r"(user|group|cn|token):[^\s:][^\n\t]{0,200}")
_MODE = re.compile(r"0?[0-7]{3}")
_ROLES = ("viewer", "operator", "approver")


def register_serve(converter: Converter, base: Path) -> None:
    """Teach a converter `ServeConfig`; credentials and TLS must be known to it already. Files start at `base`."""
    file = hooked(path_from(base))
    record(converter, SocketConfig, check=_socket_faults, path=hooked(_socket_path(base)), mode=hooked(_mode))
    record(converter, ServeTls, check=_tls_faults, cert_file=file, key_file=file, client_ca=file)
    members = {role: hooked(_members) for role in _ROLES}
    record(converter, Roles, check=_role_faults, **members, loopback=hooked(one_of(("viewer", "none"))))
    record(converter, Peer)
    record(converter, Receiver, url=hooked(url))
    record(converter, Heartbeat, every_s=hooked(between(1, 3600, _seconds), "every"))
    record(
        converter,
        ServeLimits,
        requests_per_s=hooked(between(0.1, 100_000, number)),
        body_bytes=hooked(_body, "body"),
        streams=hooked(count(1, 100_000)),
        connections=hooked(count(16, 1_000_000)),
    )
    ages = {
        f"{what}_s": hooked(positive(duration_s), what) for what in ("incidents", "notes", "notifications", "journal")
    }
    record(converter, Retention, **ages, most_bytes=hooked(_size, "most"))
    record(converter, ServeConfig, listen=hooked(listen), advertise=hooked(_advertised(base)))


def listen(raw: Any, _: Any = None) -> str:
    """Take `HOST:PORT` (an IPv6 address in brackets) or `off`."""
    found = LISTEN.fullmatch(text(raw))
    if raw != OFF and (found is None or int(found[2]) > 65535):
        raise Fault(f"expected HOST:PORT such as 127.0.0.1:8470, or off, found {described(raw)}")
    return str(raw)


def _seconds(raw: Any, _: Any = None) -> float:
    try:
        return duration_s(raw)
    except ValueError as error:
        raise Fault(f"{error}, found {described(raw)}") from None


def _size(raw: Any, _: Any = None) -> int:
    return int(positive(size_bytes, 1e15)(raw, None))


def _body(raw: Any, _: Any = None) -> int:
    return int(between(1024, 16 * 2**20, positive(size_bytes))(raw, None))


def _mode(raw: Any, _: Any = None) -> int:
    said = text(raw)
    if not _MODE.fullmatch(said):
        raise Fault(f'expected an octal mode in quotes such as "0660", found {described(raw)}')
    return int(said, 8)


def _socket_path(base: Path) -> Any:
    def hook(raw: Any, _: Any = None) -> str:
        path: str = path_from(base)(raw, None)
        if len(path.encode()) > LONGEST_SOCKET:
            raise Fault(f"is too long for a socket: {len(path.encode())} bytes of at most {LONGEST_SOCKET}")
        return path

    return hook


def _advertised(base: Path) -> Any:
    def hook(raw: Any, _: Any = None) -> str:
        said = text(raw)
        return url(said) if "://" in said else str(_socket_path(base)(said, None))

    return hook


def _members(raw: Any, _: Any = None) -> tuple[str, ...]:
    said = one_or_more(raw)
    for each in said:
        if not _MEMBER.fullmatch(each):
            raise Fault(f"expected user:NAME, group:NAME, cn:NAME or token:NAME, found {described(each)}")
    return said


def _role_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    seen: dict[str, str] = {}
    for role in _ROLES:
        said = raw.get(role) or ()
        for each in said if isinstance(said, list) else [said]:
            if isinstance(each, str) and seen.setdefault(each, role) != role:
                yield Fault(f"{each} is {seen[each]} already; an approver may do what an operator may", role)


def _socket_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    if not raw.get("path"):
        yield Fault("is required", "path")


def _tls_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    if raw.get("plain") is True:
        said = [key for key in ("cert_file", "key_file", "client_ca") if raw.get(key)]
        if said:
            yield Fault(f"does not go with {said[0]}", "plain")
        return
    for key in ("key_file", "client_ca"):
        if raw.get(key) and not raw.get("cert_file"):
            yield Fault("needs cert_file beside it", key)
