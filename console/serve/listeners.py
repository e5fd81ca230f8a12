"""Where a serve listens: TCP and UNIX sockets, or those that systemd opened; refused where that would be careless."""

from __future__ import annotations

import contextlib
import errno
import grp
import ipaddress
import os
import socket
import ssl
import stat
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.model.errors import ConsoleError
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.config.serve_values import ServeConfig, ServeTls, SocketConfig

BACKLOG = 1024
OFF = "off"
RESERVED_DESCRIPTORS = 256
SHORTEST_CERTIFICATE_KEYS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, eq=False)
class Listener:
    """One listening socket; `tls` is whether TLS is spoken there; `url` is how it is reached."""

    socket: socket.socket
    tls: bool
    url: str
    path: str = ""

    def close(self) -> None:
        """Stop listening; a UNIX socket of ours leaves no file behind."""
        if self.path:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.socket.close()


def open_listeners(config: ServeConfig, passed: list[socket.socket]) -> tuple[Listener, ...]:
    """Open what the configuration names, or take what systemd `passed` in its place; raises ConsoleError."""
    if passed:
        return tuple(_taken(each, config) for each in passed)
    opened: list[Listener] = []
    try:
        if config.socket.path:
            opened.append(_open_unix(config.socket))
        if config.listen != OFF:
            opened.append(_open_tcp(config))
    except BaseException:
        for each in opened:
            each.close()
        raise
    if not opened:
        raise ConsoleError("serve: listen is off and no socket is named: nobody could reach it; name one of them")
    return tuple(opened)


def tls_context(config: ServeTls) -> ssl.SSLContext | None:
    """Return how TLS is spoken, None where no certificate is named; raises ConsoleError for files that do not serve."""
    if not config.cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SHORTEST_CERTIFICATE_KEYS)
    context.set_alpn_protocols(["http/1.1"])
    _load(context, config)
    return context


def renew_certificates(context: ssl.SSLContext, config: ServeTls) -> None:
    """Read the certificates anew, for whoever connects from now on; raises ConsoleError, and then the old ones stay."""
    if tls_context(config) is not None:  # tried on a context of their own first: half of a pair must not get in
        _load(context, config)


def _load(context: ssl.SSLContext, config: ServeTls) -> None:
    key = config.key_file or config.cert_file
    try:
        context.load_cert_chain(config.cert_file, key)
        if config.client_ca:
            context.load_verify_locations(config.client_ca)
            # Who has no certificate may still show a token; who shows one has to show one that holds.
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(dict.fromkeys(each for each in (config.cert_file, key, config.client_ca) if each))
        reason = getattr(error, "strerror", "") or getattr(error, "reason", "") or type(error).__name__
        raise ConsoleError(f"serve: the TLS files cannot be used: {reason} ({files}); check `serve.tls`") from None


def advertised(config: ServeConfig, listeners: tuple[Listener, ...]) -> str:
    """Return the address that others are told: the configured one, else a TCP listener's URL, else the socket."""
    if config.advertise:
        return config.advertise
    urls = [each.url for each in listeners]
    return next((url for url in urls if "://" in url), urls[0] if urls else "")


def is_reachable(address: str) -> bool:
    """Whether an advertised address may lead here from another machine."""
    host = urlsplit(address).hostname or ""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and host != "localhost"
    return not (found.is_loopback or found.is_unspecified)


def more_descriptors(connections: int) -> int:
    """Raise the limit of open files as far as that many connections need and the system allows; return how many fit."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + RESERVED_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(16, min(connections, soft - RESERVED_DESCRIPTORS))


def _open_tcp(config: ServeConfig) -> Listener:
    host, _, port = config.listen.rpartition(":")
    host, tls = host.strip("[]"), bool(config.tls.cert_file)
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        _require_care(str(address[0]), config)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConsoleError(f"serve: cannot listen on {config.listen}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConsoleError(
            f"serve: cannot listen on {config.listen}: {error.strerror or error}; choose another: --listen HOST:PORT"
        ) from error
    return Listener(listener, tls, _url(listener, tls=tls))


def _require_care(address: str, config: ServeConfig) -> None:
    """Raise ConsoleError for an address beyond this machine without TLS."""
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback or config.tls.cert_file or config.tls.plain:
        return
    raise ConsoleError(
        f"serve: {config.listen} is open to other machines, and there is no TLS; name cert_file and key_file under "
        "`serve.tls` (plain: true where a proxy ends TLS in front of it), or listen on 127.0.0.1 or a socket"
    )


def _url(listener: socket.socket, *, tls: bool) -> str:
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{name}:{port}"


def _open_unix(config: SocketConfig) -> Listener:
    path, name = config.path, f"serve: the socket {config.path}"
    group = _group(config)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # nobody gets in before mode and group are as they should be
    try:
        listener.bind(path)
        if group >= 0:
            os.chown(path, -1, group)
        os.chmod(path, config.mode)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        advice = "this user must be in that group, and be allowed to write in the folder"
        raise ConsoleError(f"{name} cannot be opened: {error.strerror or error}; {advice}") from error
    finally:
        os.umask(before)
    return Listener(listener, False, path, path)


def _group(config: SocketConfig) -> int:
    if not config.group:
        return -1
    try:
        return grp.getgrnam(config.group).gr_gid
    except KeyError:
        raise ConsoleError(
            f"serve: there is no group {config.group} for the socket {config.path}; groupadd {config.group}"
        ) from None


def _clear(path: str) -> None:
    """Take away a socket that nobody listens on any more; raises ConsoleError for anything else in its place."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConsoleError(f"serve: {path} is there already and is no socket; name another path under `serve.socket`")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno not in (errno.ECONNREFUSED, errno.ENOENT):
                raise ConsoleError(f"serve: {path}: {error.strerror or error}; somebody else has it") from error
        else:
            raise ConsoleError(f"serve: somebody listens on {path} already; end that one, or name another path")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _taken(passed: socket.socket, config: ServeConfig) -> Listener:
    if passed.family == socket.AF_UNIX:
        return Listener(passed, False, str(passed.getsockname()))
    _require_care(str(passed.getsockname()[0]), config)
    tls = bool(config.tls.cert_file)
    return Listener(passed, tls, _url(passed, tls=tls))
