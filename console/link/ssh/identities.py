"""Our own keys and certificates: read once; one that needs a passphrase is left to the agent, and said."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.link.ssh.route import Route


class OfferedKeys(list[Any]):
    """Keys to offer; true even when empty, or asyncssh would go and read the default files on its own."""

    def __bool__(self) -> bool:
        return True


class Identities:
    """The key files of one site, by path; `warnings` says which could not be used and why."""

    def __init__(self) -> None:
        self._held: dict[tuple[tuple[str, ...], tuple[str, ...]], OfferedKeys] = {}
        self._lock = asyncio.Lock()
        self.warnings: tuple[str, ...] = ()

    async def of(self, route: Route) -> OfferedKeys:
        """Return the keys (with their certificates) to offer on a route; files that are not there are none."""
        async with self._lock:
            key = (route.keys, route.certificates)
            if key not in self._held:
                keys, warnings = await asyncio.to_thread(_read, *key)
                self.warnings = tuple(dict.fromkeys([*self.warnings, *warnings]))
                self._held[key] = keys
            return self._held[key]

    def forget(self) -> None:
        """Read the files anew at the next login: a certificate may have been renewed."""
        self._held.clear()


def agent_identities(route: Route) -> list[str] | None:
    """Return the public key files that limit which of an agent's keys are offered, None for no limit."""
    if not route.identities_only:
        return None
    names = [path if path.endswith(".pub") else f"{path}.pub" for path in route.keys]
    return [name for name in names if Path(name).is_file()]


def _read(keys: tuple[str, ...], certificates: tuple[str, ...]) -> tuple[OfferedKeys, list[str]]:
    import asyncssh

    offered, warnings = OfferedKeys(), []
    for path in keys:
        if path.endswith(".pub") or not Path(path).is_file():
            continue
        try:
            key = asyncssh.read_private_key(path)
        except asyncssh.KeyEncryptionError:
            warnings.append(f"{path} needs a passphrase; add it to an agent (ssh-add)")
        except asyncssh.KeyImportError as error:
            locked = "passphrase" in str(error).lower()
            said = "needs a passphrase; add it to an agent (ssh-add)" if locked else f"cannot be read: {error}"
            warnings.append(f"{path} {said}")
        except (OSError, ValueError) as error:
            warnings.append(f"{path} cannot be read: {error}")
        else:
            offered += _with_certificates(path, key, certificates, warnings)
            offered.append(key)
    return offered, warnings


def _with_certificates(path: str, key: Any, certificates: tuple[str, ...], warnings: list[str]) -> list[Any]:
    """Return (key, certificate) for every certificate that is of this key."""
    import asyncssh

    found = []
    for name in dict.fromkeys([*certificates, f"{path}-cert.pub"]):
        if not Path(name).is_file():
            continue
        try:
            certificate = asyncssh.read_certificate(name)
        except (OSError, ValueError) as error:
            warnings.append(f"{name} cannot be read: {error}")
            continue
        if certificate.key.public_data == key.public_data:
            found.append((key, certificate))
    return found
