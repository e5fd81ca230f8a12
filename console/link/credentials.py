"""Request headers that carry a source's credentials, resolved when they are used and never shown."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from console.config.secrets import resolve

if TYPE_CHECKING:
    from console.config.values import Auth, SourceConfig

SLURM_TOKEN = "X-SLURM-USER-TOKEN"


class Credentials:
    """The authentication headers of one source; kept in memory until `forget()`."""

    def __init__(self, config: SourceConfig) -> None:
        self._auth = config.auth
        self._base_dir = config.base_dir
        self._headers: dict[str, str] | None = None

    @property
    def used(self) -> bool:
        """Whether the source has any credentials at all."""
        auth = self._auth
        return any((auth.bearer, auth.basic_user, auth.jwt, auth.header_value))

    def forget(self) -> None:
        """Read the credentials anew at the next request (a token may have been rotated)."""
        self._headers = None

    async def headers(self) -> dict[str, str]:
        """Return the headers to send; files and commands are read outside the loop. Raises ConsoleError."""
        if self._headers is None:
            self._headers = await asyncio.to_thread(_read, self._auth, self._base_dir) if self.used else {}
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
    if auth.header and auth.header_value is not None:
        headers[auth.header] = resolve(auth.header_value, base_dir)
    return headers
