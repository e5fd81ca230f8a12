"""Who we are for an API server: tokens and client certificates of a login, renewed before they end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.config.commands import CommandError, run_command
from console.link.credentials import claims
from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from console.link.kubernetes.kubeconfig import Login, Plugin

PLUGIN_LIMIT_S = 30.0
MOST_BYTES = 1024 * 1024
# client-go reads a token file anew each minute.
FILE_AGAIN_S = 60.0
RENEW_BEFORE_S = 60.0
RENEW_AGAIN_S = 30.0


@dataclass(frozen=True)
class Identity:
    """What requests carry; `ends_at` is UTC epoch seconds, 0 where it does not end or say so."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    cert_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    ends_at: float = 0.0

    @property
    def certificate(self) -> tuple[str, str]:
        """Certificate and key, PEM; empty where there is none."""
        return self.cert_pem, self.key_pem


class Identities:
    """The identity of one login; it is read again after `forget()`, and before it ends."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._identity: Identity | None = None
        self._again_at = 0.0
        self._lock = asyncio.Lock()

    @property
    def used(self) -> bool:
        """Whether a refused request may be tried again with another identity."""
        login = self._login
        return bool(login.token_file or login.plugin)

    def forget(self) -> None:
        """Read the identity anew at the next request."""
        self._identity = None

    async def identity(self, now: float) -> Identity:
        """Return what to send at `now`; files and plugins are read outside the loop. Raises ConsoleError."""
        async with self._lock:
            if self._identity is None or (self._again_at and now >= self._again_at):
                self._identity = await asyncio.to_thread(read_identity, self._login)
                self._again_at = self._next_at(self._identity, now)
            return self._identity

    def _next_at(self, identity: Identity, now: float) -> float:
        if self._login.token_file:
            return now + FILE_AGAIN_S
        if not self._login.plugin or not identity.ends_at:
            return 0.0
        return max(identity.ends_at - RENEW_BEFORE_S, now + RENEW_AGAIN_S)


def read_identity(login: Login) -> Identity:
    """Return who a login says we are: a plugin's word, a token's file, or what stands in it. Raises ConsoleError."""
    token, ends_at, cert_pem, key_pem = login.token, 0.0, login.cert_pem, login.key_pem
    if login.plugin is not None:
        told = run_plugin(login.plugin)
        token = str(told.get("token") or "") or token
        cert_pem = str(told.get("clientCertificateData") or "") or cert_pem
        key_pem = str(told.get("clientKeyData") or "") or key_pem
        ends_at = _epoch_s(told.get("expirationTimestamp"))
    elif login.token_file:
        token = _of_file(Path(login.token_file))
    headers: dict[str, str] = dict(login.headers)
    if token:
        headers["Authorization"] = f"Bearer {_one_line(token, login.origin)}"
        ends_at = ends_at or _claimed_end(token)
    elif login.user:
        pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return Identity(headers, cert_pem, key_pem, ends_at)


def run_plugin(plugin: Plugin) -> dict[str, Any]:
    """Return the status that an exec plugin prints; it gets no terminal, and 30 s. Raises ConsoleError."""
    name = Path(plugin.command[0]).name
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    told = json.dumps({"kind": "ExecCredential", "apiVersion": plugin.version, "spec": spec})
    try:
        output = run_command(
            plugin.command, Path(plugin.base), PLUGIN_LIMIT_S, MOST_BYTES, {**plugin.env, "KUBERNETES_EXEC_INFO": told}
        )
    except CommandError as error:
        raise ConsoleError(f"the credential plugin {error}" + (f"; {plugin.hint}" if plugin.hint else "")) from None
    try:
        status = json.loads(output)["status"]
        if isinstance(status, dict) and (status.get("token") or status.get("clientCertificateData")):
            return status
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ConsoleError(f"the credential plugin {name} prints no ExecCredential with a token or certificate")


def make_context(login: Login, identity: Identity) -> ssl.SSLContext:
    """Return the TLS context of a login; blocks. Raises OSError and ssl.SSLError for what cannot be used."""
    context = ssl.create_default_context(cadata=login.ca_pem or None)
    if not login.ca_pem:
        import certifi

        context.load_verify_locations(certifi.where())
    if not login.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if identity.cert_pem:
        _load(context, identity)
    return context


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    """Give a context our certificate by way of a file that only we can read and that is gone at once."""
    handle, name = tempfile.mkstemp(prefix="gigadeck-", suffix=".pem")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(f"{identity.cert_pem.strip()}\n{identity.key_pem.strip()}\n")
        context.load_cert_chain(name)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
        raise ConsoleError(f"the token {path} cannot be read: {reason}") from None


def _one_line(token: str, origin: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConsoleError(f"the token of {origin} is no single word of ASCII text")
    return token


def _claimed_end(token: str) -> float:
    ends_at = claims(token).get("exp")
    return float(ends_at) if isinstance(ends_at, int | float) and 0 < ends_at < 1e11 else 0.0


def _epoch_s(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        return 0.0
