"""Finds the API server as kubectl does: the source's own keys, a kubeconfig, or the pod that we run in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from console.link.kubernetes.kubeconfig import DEFAULT, Login, read_login
from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from console.config.values import SourceConfig

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def find_login(config: SourceConfig, account: Path = ACCOUNT) -> Login | None:
    """Return the login of a source, None where its own `url`, `auth` and `tls` say it all; blocks.

    In this order: `url`, the options `kubeconfig` and `context`, $KUBECONFIG, ~/.kube/config, and in a pod its service
    account. Raises ConsoleError.
    """
    if config.url:
        return None
    said, context = str(config.options.get("kubeconfig") or ""), str(config.options.get("context") or "")
    if said:
        return read_login((Path(config.base_dir or ".") / os.path.expanduser(said),), context)
    listed = tuple(Path(each) for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each)
    if listed:
        return read_login(listed, context)
    usual = Path(os.path.expanduser(DEFAULT))
    if usual.exists() or context:
        return read_login((usual,), context)
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if host and (account / "token").exists():
        return _of_pod(host, port, account)
    raise ConsoleError(
        f"no API server is named: set `url` or `kubeconfig` (no $KUBECONFIG, no {DEFAULT}, not in a pod)"
    )


def _of_pod(host: str, port: str, account: Path) -> Login:
    try:
        ca_pem = (account / "ca.crt").read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise ConsoleError(f"the service account has no usable {account / 'ca.crt'}") from None
    shown = f"[{host}]" if ":" in host else host
    return Login(
        f"https://{shown}:{port}", "the pod's service account", ca_pem=ca_pem, token_file=str(account / "token")
    )
