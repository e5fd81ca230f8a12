"""Turns every failure of a login or a channel into the error tree, naming the host and what to do."""

from __future__ import annotations

import asyncio
import os
from socket import gaierror
from typing import TYPE_CHECKING

import asyncssh

from console.model.errors import InsecureLink, SourceError, TimedOut, Unauthorized, Unreachable, WaitsForLogin
from console.present.safe import clean

if TYPE_CHECKING:
    from console.link.ssh.login import Witness
    from console.link.ssh.route import Route
    from console.link.ssh.trust import Trusted

TEXT_LIMIT = 160


def translate(
    error: Exception,
    who: tuple[str, str],
    route: Route,
    witness: Witness,
    known: Trusted | None,
    limit_s: float,
    via: str = "",
    *,
    kept: bool = False,
) -> SourceError:
    """Return the SourceError that a login's failure stands for; `via` names the jump host before it.

    `kept` says that the connection is one that is kept for the site, so that a person may log in for it.
    """
    if isinstance(error, SourceError):
        return error
    behind = f" behind {via}" if via else ""
    where = f"{route.shown}{behind}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key(who, route, where, witness, known, str(error))
    if isinstance(error, asyncssh.PermissionDenied):
        return _denied(who, route, where, witness, kept=kept)
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        text = f"no login on {where} within {limit_s:g} s"
        return TimedOut(*who, text, "the node may hang; `timeouts.total` is the limit")
    if isinstance(error, asyncssh.ChannelOpenError):
        text = f"the jump host{f' {via}' if via else ''} cannot reach {route.shown}: {_short(error)}"
        return Unreachable(*who, text, "is the node up, and does the jump host allow forwarding?")
    if isinstance(error, gaierror):
        return Unreachable(*who, f"no such host: {where}", "check the inventory, the name service or `address`")
    return _line(error, who, where)


def _line(error: Exception, who: tuple[str, str], where: str) -> SourceError:
    if isinstance(error, asyncssh.KeyExchangeFailed):
        text = f"{where} and we have no algorithm in common: {_short(error)}"
        return InsecureLink(*who, text, "its host keys may be of another kind than known_hosts has")
    if isinstance(error, asyncssh.ConnectionLost | ConnectionResetError | BrokenPipeError):
        text = f"{where} closed the connection during the login"
        return Unreachable(*who, text, "its sshd may have too many logins at once (MaxStartups), or is restarting")
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else error.strerror or _short(error)
        text = f"cannot connect to {where}: {reason.lower()}"
        return Unreachable(*who, text, "is the node up, and sshd running there?")
    return Unreachable(*who, f"login on {where} failed: {_short(error)}", "try it by hand: gigadeck ssh")


def _host_key(
    who: tuple[str, str], route: Route, where: str, witness: Witness, known: Trusted | None, said: str
) -> InsecureLink:
    keys, authorities = (known.keys, known.authorities) if known is not None else ([], [])
    files = ", ".join([each for each in route.known_hosts if each != os.devnull][:2]) or "known_hosts"
    offers = f"it offers {witness.offered}" if witness.offered else clean(said, TEXT_LIMIT)
    if "revoked" in said.lower():
        return InsecureLink(*who, f"the host key of {where} is revoked", f"see @revoked in {files}")
    if keys:
        text = f"the host key of {where} CHANGED: {offers}, known is {keys[0].get_fingerprint()}"
        advice = (
            f"re-imaged? then remove the old key (ssh-keygen -R) from {files} and add the new one from a source that "
            "you trust, or sign host keys with an authority (@cert-authority); if not, someone may be in between"
        )
        return InsecureLink(*who, text, advice)
    why = "its certificate does not fit the known authority" if authorities else "its host key is not known"
    text = f"{where} cannot be trusted: {why}; {offers}"
    return InsecureLink(*who, text, f"add its key or a host authority (@cert-authority) to {files}; never on first use")


def _denied(who: tuple[str, str], route: Route, where: str, witness: Witness, *, kept: bool) -> Unauthorized:
    said = f" (it says: {clean(witness.banner, TEXT_LIMIT)})" if witness.banner else ""
    again = f"again: `:login {who[0]}` in the console"
    if witness.given_up:
        return WaitsForLogin(*who, f"waits for :login {who[0]}: the login on {where} was given up", again)
    if witness.answered:
        return WaitsForLogin(*who, f"waits for :login {who[0]}: {where} refuses the answer{said}", again)
    if witness.asked:
        text = f"{where} asks for {witness.asked[-1]}, which is never answered here{said}"
        if kept:
            advice = f"in the console: `:login {who[0]}`; else a key, certificate or agent that is enough by itself"
            return WaitsForLogin(*who, f"waits for :login {who[0]}: {text}", advice)
        return Unauthorized(*who, text, "use a key, a certificate or an agent that is enough by itself")
    advice = "check `ssh.user`, the key or certificate (expired?), and the agent (ssh-add -l)"
    return Unauthorized(*who, f"{where} refuses user {route.user} with our keys{said}", advice)


def _short(error: BaseException) -> str:
    return clean(" ".join(str(error).split()), TEXT_LIMIT) or type(error).__name__
