"""Request headers that carry a source's credentials, resolved when they are used and never shown."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from console.config.secrets import resolve

if TYPE_CHECKING:
    from console.config.values import Auth, SourceConfig

SLURM_TOKEN, SLURM_USER = "X-SLURM-USER-TOKEN", "X-SLURM-USER-NAME"
RENEW_BEFORE_S = 60.0
RENEW_AGAIN_S = 30.0


class Credentials:
    """The authentication headers of one source; kept in memory until `forget()`, or until a token is about to end."""

    def __init__(self, config: SourceConfig) -> None:
        self._auth = config.auth
        self._base_dir = config.base_dir
        self._headers: dict[str, str] | None = None
        self._renew_at = 0.0
        self.ends_at = 0.0
        """When the token says that it ends (UTC epoch seconds), 0 where it does not say."""
        self.user = ""
        """Whom a Slurm token says that it is for."""

    @property
    def used(self) -> bool:
        """Whether the source has any credentials at all."""
        auth = self._auth
        return any((auth.bearer, auth.basic_user, auth.jwt, auth.header_value))

    def forget(self) -> None:
        """Read the credentials anew at the next request (a token may have been rotated)."""
        self._headers = None

    async def headers(self, now: float) -> dict[str, str]:
        """Return the headers to send at `now`; files and commands are read outside the loop. Raises ConsoleError."""
        if self._headers is None or (self._renew_at and now >= self._renew_at):
            self._headers = await asyncio.to_thread(_read, self._auth, self._base_dir) if self.used else {}
            self.ends_at, self.user = _ends_at(self._headers), self._headers.get(SLURM_USER, "")
            # A token that is near its end when it is read has no successor yet: ask again, but not at every turn.
            self._renew_at = max(self.ends_at - RENEW_BEFORE_S, now + RENEW_AGAIN_S) if self.ends_at else 0.0
        return self._headers


def _read(auth: Auth, base_dir: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    if auth.bearer is not None:
        headers["Authorization"] = f"Bearer {resolve(auth.bearer, base_dir)}"
    if auth.basic_user:
        password = resolve(auth.basic_password, base_dir) if auth.basic_password is not None else ""
        pair = base64.b64encode(f"{auth.basic_user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    if auth.jwt is not None:
        headers[SLURM_TOKEN] = resolve(auth.jwt, base_dir)
        user = claims(headers[SLURM_TOKEN]).get("sun")
        if isinstance(user, str) and user.isprintable() and user.isascii():
            headers[SLURM_USER] = user
    if auth.header and auth.header_value is not None:
        headers[auth.header] = resolve(auth.header_value, base_dir)
    return headers


def _ends_at(headers: dict[str, str]) -> float:
    token = headers.get(SLURM_TOKEN) or headers.get("Authorization", "").removeprefix("Bearer ")
    ends_at = claims(token).get("exp")
    return float(ends_at) if isinstance(ends_at, int | float) and 0 < ends_at < 1e11 else 0.0


def claims(token: str) -> dict[str, Any]:
    """Return what a JSON Web Token says of itself, unverified: nothing of another kind of token."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
