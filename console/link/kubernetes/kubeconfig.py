"""Reads kubeconfig files as kubectl does: several files merged, one context chosen, paths relative to their file."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.model.errors import ConsoleError

MOST_BYTES = 4 * 1024 * 1024
DEFAULT = "~/.kube/config"


@dataclass(frozen=True)
class Plugin:
    """An exec credential plugin (client.authentication.k8s.io): its command, and what it is told."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    version: str = "client.authentication.k8s.io/v1"
    cluster: Mapping[str, Any] | None = None
    base: str = "."
    hint: str = ""


@dataclass(frozen=True)
class Login:
    """A server and who we are there; certificates and keys are PEM, `origin` says in words where that was read.

    `token_file` and `plugin` are read again before what they gave ends.
    """

    server: str
    origin: str
    context: str = ""
    ca_pem: str = field(default="", repr=False)
    verify: bool = True
    server_name: str = ""
    proxy: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    cert_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    plugin: Plugin | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def read_login(paths: tuple[Path, ...], context: str = "") -> Login:
    """Return the login of a context (empty: the files' current one); blocks. Raises ConsoleError."""
    files = [(path, _loaded(path)) for path in paths if path.exists()]
    shown = ", ".join(map(str, paths))
    if not files:
        raise ConsoleError(f"there is no kubeconfig at {shown}")
    name = context or next((str(each["current-context"]) for _, each in files if each.get("current-context")), "")
    if not name:
        raise ConsoleError(f"{shown} has no current-context; set `context`")
    chosen, _ = _named(files, "contexts", "context", name)
    cluster, cluster_base = _named(files, "clusters", "cluster", str(chosen.get("cluster", "")))
    user: Mapping[str, Any] = {}
    user_base = Path(".")
    if chosen.get("user"):
        user, user_base = _named(files, "users", "user", str(chosen["user"]))
    return _login(name, shown, (cluster, cluster_base), (user, user_base))


def _login(context: str, shown: str, cluster: tuple[Any, Path], user: tuple[Any, Path]) -> Login:
    server = str(cluster[0].get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise ConsoleError(f"the cluster of context {context} in {shown} has no `server`")
    if "auth-provider" in user[0]:
        name = user[0]["auth-provider"].get("name", "?") if isinstance(user[0]["auth-provider"], dict) else "?"
        raise ConsoleError(f"context {context} signs in by auth-provider {name}, which is no more: use exec")
    token_file = str(user[0].get("tokenFile") or "")
    return Login(
        server=server.rstrip("/"),
        origin=shown,
        context=context,
        ca_pem=_pem(cluster, "certificate-authority"),
        verify=cluster[0].get("insecure-skip-tls-verify") is not True,
        server_name=str(cluster[0].get("tls-server-name") or ""),
        proxy=str(cluster[0].get("proxy-url") or ""),
        token="" if token_file else str(user[0].get("token") or ""),
        token_file=str(user[1] / os.path.expanduser(token_file)) if token_file else "",
        user=str(user[0].get("username") or ""),
        password=str(user[0].get("password") or ""),
        cert_pem=_pem(user, "client-certificate"),
        key_pem=_pem(user, "client-key"),
        plugin=_plugin(user, cluster) if user[0].get("exec") else None,
        headers=dict(_impersonation(user[0])),
    )


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if user.get("as"):
        yield "Impersonate-User", str(user["as"])
    if user.get("as-uid"):
        yield "Impersonate-Uid", str(user["as-uid"])
    groups = user.get("as-groups") or ()
    if groups:
        yield "Impersonate-Group", ", ".join(map(str, groups))


def _plugin(user: tuple[Any, Path], cluster: tuple[Any, Path]) -> Plugin:
    told = user[0]["exec"]
    if not isinstance(told, Mapping) or not told.get("command"):
        raise ConsoleError("the user's `exec` names no `command`")
    if told.get("interactiveMode") == "Always":
        raise ConsoleError(
            f"the plugin {told['command']} needs a terminal (interactiveMode: Always): sign in another way"
        )
    command = os.path.expanduser(str(told["command"]))
    if "/" in command:
        command = str(user[1].absolute() / command)
    env = {str(row.get("name")): str(row.get("value", "")) for row in told.get("env") or () if isinstance(row, Mapping)}
    shown = {
        "server": cluster[0].get("server"),
        "certificate-authority-data": base64.b64encode(_pem(cluster, "certificate-authority").encode()).decode(),
        "insecure-skip-tls-verify": cluster[0].get("insecure-skip-tls-verify") is True,
    }
    return Plugin(
        command=(command, *map(str, told.get("args") or ())),
        env=env,
        version=str(told.get("apiVersion") or Plugin.version),
        cluster=shown if told.get("provideClusterInfo") is True else None,
        base=str(user[1]),
        hint=" ".join(str(told.get("installHint") or "").split())[:200],
    )


def _pem(entry: tuple[Any, Path], key: str) -> str:
    """Return what a key holds: base64 under `KEY-data`, else the file that `KEY` names."""
    data, file = entry[0].get(f"{key}-data"), entry[0].get(key)
    if data:
        try:
            return base64.b64decode(str(data), validate=False).decode("ascii")
        except (binascii.Error, ValueError):
            raise ConsoleError(f"{key}-data of the kubeconfig is no base64 of a PEM text") from None
    if not file:
        return ""
    path = entry[1] / os.path.expanduser(str(file))
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM text"
        raise ConsoleError(f"{key} {path} cannot be read: {reason}") from None


def _loaded(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConsoleError(f"kubeconfig {path} is over {MOST_BYTES} bytes")
        loaded = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise ConsoleError(f"kubeconfig {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConsoleError(f"kubeconfig {path} is no YAML{where}") from None
    if not isinstance(loaded, Mapping):
        raise ConsoleError(f"kubeconfig {path} holds no keys")
    return loaded


def _named(
    files: list[tuple[Path, Mapping[str, Any]]], plural: str, key: str, name: str
) -> tuple[Mapping[str, Any], Path]:
    """Return the first entry of a name, and the folder that its paths start at; raises ConsoleError."""
    seen: list[str] = []
    for path, loaded in files:
        rows = loaded.get(plural)
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, Mapping):
                continue
            if str(row.get("name")) == name and isinstance(row.get(key), Mapping):
                return row[key], path.absolute().parent
            seen.append(str(row.get("name")))
    known = ", ".join(seen[:10]) or "none"
    raise ConsoleError(f"the kubeconfig has no {key} {name!r}; it has: {known}")
