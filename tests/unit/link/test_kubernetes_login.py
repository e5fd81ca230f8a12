from __future__ import annotations

import base64
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from console.config.values import SourceConfig, Timeouts
from console.link.kubernetes.api import KubeLink
from console.link.kubernetes.credentials import Identities, read_identity
from console.link.kubernetes.kubeconfig import Login, Plugin, read_login
from console.link.kubernetes.login import find_login
from console.model.errors import ConsoleError, InsecureLink, Unauthorized
from tests.servers.kube import Certificates, Kube, kube_server, node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLUGIN = """\
#!{python}
import json, os, pathlib
told = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
runs = pathlib.Path({folder!r}, "runs")
runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
token = pathlib.Path({folder!r}, "token").read_text()
status = {{"token": token, "expirationTimestamp": {end!r}}}
assert os.environ["WHO"] == "ada" and told["spec"]["interactive"] is False
print(json.dumps({{"kind": "ExecCredential", "apiVersion": told["apiVersion"], "status": status}}))
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.made(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def kube(certificates: Certificates) -> Iterator[Kube]:
    cluster = Kube(tokens={"t0ken": "ada"})
    cluster.put("nodes", node("n0"))
    with kube_server(cluster, certificates):
        yield cluster


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def written(folder: Path, server: str, user: dict[str, Any], **cluster: Any) -> Path:
    path = folder / "config"
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "muc",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "muc", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(told))
    return path


def link(path: Path, **options: str) -> KubeLink:
    limits = Timeouts(connect_s=2, read_s=5, total_s=10)
    return KubeLink(
        "muc1", SourceConfig("kubernetes", "k8s", options={"kubeconfig": str(path), **options}, timeouts=limits)
    )


async def asked(path: Path) -> int:
    opened = link(path)
    try:
        return (await opened.get("/api/v1/nodes")).status
    finally:
        await opened.aclose()


async def test_a_token_and_an_authority_in_the_file(kube: Kube, tmp_path: Path) -> None:
    data = {"certificate-authority-data": b64(kube.ca_pem)}
    assert await asked(written(tmp_path, kube.url, {"token": "t0ken"}, **data)) == 200
    with pytest.raises(InsecureLink, match="TLS"):
        await asked(written(tmp_path, kube.url, {"token": "t0ken"}))
    assert await asked(written(tmp_path, kube.url, {"token": "t0ken"}, **{"insecure-skip-tls-verify": True})) == 200


async def test_a_client_certificate_in_the_file_and_beside_it(
    kube: Kube, certificates: Certificates, tmp_path: Path
) -> None:
    kube.tokens, kube.rights = {"x": "y"}, {"grace": {"list nodes"}}
    cert, key = certificates.client("grace")
    (tmp_path / "ca.crt").write_text(kube.ca_pem)
    user = {"client-certificate-data": b64(cert), "client-key-data": b64(key)}
    assert await asked(written(tmp_path, kube.url, user, **{"certificate-authority": "ca.crt"})) == 200
    (tmp_path / "me.crt").write_text(cert)
    (tmp_path / "me.key").write_text(key)
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    assert await asked(written(tmp_path, kube.url, user, **{"certificate-authority": "ca.crt"})) == 200
    stranger, _ = certificates.client("mallory")
    with pytest.raises((InsecureLink, Unauthorized)):  # a certificate that is not its key's
        await asked(
            written(
                tmp_path,
                kube.url,
                {"client-certificate-data": b64(stranger), "client-key-data": b64(key)},
                **{"certificate-authority": "ca.crt"},
            )
        )


async def test_a_token_file_is_read_again_when_it_is_refused(kube: Kube, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old\n")
    path = written(tmp_path, kube.url, {"tokenFile": "token"}, **{"certificate-authority-data": b64(kube.ca_pem)})
    opened = link(path)
    with pytest.raises(Unauthorized, match="signed in by"):
        await opened.get("/api/v1/nodes")
    (tmp_path / "token").write_text("t0ken\n")
    assert (await opened.get("/api/v1/nodes")).status == 200
    kube.tokens = {"newer": "ada"}
    (tmp_path / "token").write_text("newer")
    assert (await opened.get("/api/v1/nodes")).status == 200
    await opened.aclose()


def plugin(folder: Path, end: str) -> dict[str, Any]:
    script = folder / "plugin"
    script.write_text(PLUGIN.format(python=sys.executable, folder=str(folder), end=end))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    told = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "interactiveMode": "IfAvailable"}
    return {"exec": told | {"env": [{"name": "WHO", "value": "ada"}]}}


async def test_a_plugin_is_asked_once_and_again_when_it_is_refused(kube: Kube, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    data = {"certificate-authority-data": b64(kube.ca_pem)}
    opened = link(written(tmp_path, kube.url, plugin(tmp_path, "2099-01-01T00:00:00Z"), **data))
    for _ in range(2):
        await opened.get("/api/v1/nodes")
    assert (tmp_path / "runs").read_text() == "x"
    assert opened.credentials_end_at > time.time() + 1e8
    kube.tokens = {"newer": "ada"}
    (tmp_path / "token").write_text("newer")
    await opened.get("/api/v1/nodes")
    assert (tmp_path / "runs").read_text() == "xx"
    kube.rights = {"ada": set()}
    with pytest.raises(Unauthorized, match="403"):
        await opened.get("/api/v1/nodes")
    assert (tmp_path / "runs").read_text() == "xx"  # a right that is missing is no reason to sign in again
    await opened.aclose()


async def test_a_plugins_word_is_renewed_before_it_ends(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    told = plugin(tmp_path, "2026-11-01T10:00:00Z")["exec"]
    login = Login("https://x", "here", plugin=Plugin((str(tmp_path / "plugin"),), {"WHO": "ada"}, told["apiVersion"]))
    identities = Identities(login)
    ends_at = (await identities.identity(0.0)).ends_at
    await identities.identity(ends_at - 61)
    assert (tmp_path / "runs").read_text() == "x"
    await identities.identity(ends_at - 59)
    assert (tmp_path / "runs").read_text() == "xx"


@pytest.mark.parametrize(
    ("command", "says"),
    [(("/no/such/plugin",), "cannot be run"), (("false",), "exit status 1"),
     (("echo", "{}"), "prints no ExecCredential"), (("echo", "s3cret no json"), "prints no ExecCredential")],
)  # fmt: skip
def test_a_plugin_that_fails_is_named_with_its_hint_and_no_secret(command: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConsoleError, match=says) as caught:
        read_identity(Login("https://x", "here", plugin=Plugin(command, hint="install it")))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "no YAML"), ("- a", "holds no keys"), ("kind: Config", "no current-context"),
     ("current-context: x", "no context 'x'; it has: none"),
     ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]", "no cluster 'c'"),
     ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: x}}]",
      "no `server`")],
)  # fmt: skip
def test_what_is_wrong_with_a_kubeconfig_is_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConsoleError, match=says):
        read_login((tmp_path / "config",))


@pytest.mark.parametrize(
    ("user", "says"),
    [({"auth-provider": {"name": "gcp"}}, "auth-provider gcp"), ({"exec": {}, "token": "x"}, ""),
     ({"exec": {"command": "x", "interactiveMode": "Always"}}, "needs a terminal"),
     ({"client-certificate": "/no/such"}, "cannot be read"), ({"client-key-data": "%%%\u00e9"}, "base64")],
)  # fmt: skip
def test_what_is_wrong_with_a_user_is_named(user: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = written(tmp_path, "https://x", user)
    if not says:
        assert read_login((path,)).plugin is None
        return
    with pytest.raises(ConsoleError, match=says):
        read_login((path,))


def test_contexts_and_several_files_are_merged_as_kubectl_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = written(tmp_path, "https://one", {"token": "a"}), tmp_path / "second"
    second.write_text(
        yaml.safe_dump(
            {
                "current-context": "other",
                "contexts": [{"name": "hel", "context": {"cluster": "d", "user": "u"}}],
                "clusters": [{"name": "d", "cluster": {"server": "https://two/"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}:{tmp_path / 'missing'}")
    login = find_login(SourceConfig("kubernetes", "k"))
    assert login is not None
    assert (login.server, login.context, login.token) == ("https://one", "muc", "a")
    login = find_login(SourceConfig("kubernetes", "k", options={"context": "hel"}))
    assert login is not None
    assert (login.server, login.token) == ("https://two", "a")


def test_in_a_pod_its_service_account_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConsoleError, match="set `url` or `kubeconfig`"):
        find_login(SourceConfig("kubernetes", "k"), tmp_path)
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "ca.crt").write_text("PEM")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    login = find_login(SourceConfig("kubernetes", "k"), tmp_path)
    assert login is not None
    assert (login.server, login.token_file) == ("https://[fd00::1]:6443", str(tmp_path / "token"))
    assert find_login(SourceConfig("kubernetes", "k", "https://api.example")) is None


def test_impersonation_is_sent() -> None:
    login = Login("https://x", "here", token="t", headers={"Impersonate-User": "ada"})
    assert read_identity(login).headers == {"Authorization": "Bearer t", "Impersonate-User": "ada"}
