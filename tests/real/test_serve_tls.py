"""A serve behind TLS: client certificates and tokens, those that expired or are somebody else's, new ones on SIGHUP."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.gigaserve import GigaServe, gigaserve
from tests.support.certificates import Authority, Pair
from tests.support.cli import gigadeck

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]

FLEET = """\
fleet: tls
sites:
  - {{name: lab, environment: lab, sources: [{{kind: emulator, gpus: 64}}]}}
serve:
  listen: 127.0.0.1:0
  tls: {{cert_file: serve.crt, key_file: serve.key, client_ca: people.pem}}
  roles: {{operator: ['cn:ada'], approver: ['cn:grace@example.org']{loopback}}}
"""
NOTE = {"id": "t1", "kind": "note", "subject": "site:lab", "text": "a word"}


class Served:
    def __init__(self, folder: Path, running: GigaServe, hosts: Authority, people: Authority) -> None:
        self.folder = folder
        self.running = running
        self.hosts = hosts
        self.people = people

    def client(self, who: Pair | None = None, trusts: Authority | None = None, **more: object) -> httpx.Client:
        context = ssl.create_default_context(cafile=(trusts or self.hosts).file)
        if who is not None:
            context.load_cert_chain(who.cert, who.key)
        return httpx.Client(base_url=self.running.url, verify=context, timeout=20, **more)  # type: ignore[arg-type]  # as httpx has them


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tls")
    hosts, people = Authority(folder, "hosts"), Authority(folder, "people")
    hosts.server()
    (folder / "fleet.yaml").write_text(FLEET.format(loopback=", loopback: none"))
    state = f"sqlite:///{folder}/state.db"
    with gigaserve("--fleet", str(folder / "fleet.yaml"), "--state", state) as running:
        running.verify = ssl.create_default_context(cafile=hosts.file)
        running.wait_ready()
        yield Served(folder, running, hosts, people)


def test_a_client_certificate_tells_who_it_is_and_what_they_may(served: Served) -> None:
    ada, eve = served.people.person("ada"), served.people.person("eve")
    with served.client(ada) as client:
        assert client.post("/site/v1/lab/deeds", json=NOTE).status_code == 200
    with served.client(eve) as client:
        assert client.get("/site/v1/lab/info").status_code == 200
        refused = client.post("/site/v1/lab/deeds", json=NOTE)
    assert refused.status_code == 403
    assert "eve (certificate) is viewer" in refused.json()["error"]


def test_an_alternative_name_counts_as_well(served: Served) -> None:
    grace = served.people.person("grace", email="grace@example.org")
    with served.client(grace) as client:
        assert client.post("/site/v1/lab/deeds", json={**NOTE, "id": "t2"}).status_code == 200


@pytest.mark.parametrize("case", ["expired", "stranger"])
def test_a_certificate_that_does_not_hold_is_refused_by_tls(served: Served, tmp_path: Path, case: str) -> None:
    if case == "expired":
        who = served.people.person("late", lasts=timedelta(days=-2))
    else:
        who = Authority(tmp_path, "others").person("ada")
    with served.client(who) as client, pytest.raises(httpx.TransportError):
        client.get("/site/v1/lab/info")


def test_without_a_certificate_a_token_is_asked_for(served: Served) -> None:
    with served.client() as client:
        nobody = client.get("/site/v1/lab/info")
        assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="gigadeck"')
        assert client.get("/health").status_code == 200
    said = gigadeck("token", "add", "watcher", "--role", "viewer", "--state", f"sqlite:///{served.folder}/state.db")
    with served.client(headers={"Authorization": f"Bearer {said.out.strip()}"}) as client:
        served.running.wait_ready(lambda _: client.get("/site/v1/lab/info").status_code == 200)
        assert client.post("/site/v1/lab/deeds", json=NOTE).status_code == 403


def test_plain_http_and_half_a_handshake_get_nothing_and_hurt_nobody(served: Served) -> None:
    url = httpx.URL(served.running.url)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{url.host}:{url.port}/health", timeout=20)
    lines = [socket.create_connection((url.host, url.port), timeout=20) for _ in range(200)]
    try:
        for line in lines:
            line.sendall(b"\x16\x03\x01")
        with served.client() as client:
            assert client.get("/health").status_code == 200
    finally:
        for line in lines:
            line.close()


def test_new_certificates_count_from_a_reload_on(served: Served, tmp_path: Path) -> None:
    others = Authority(tmp_path, "new")
    fresh = others.server()
    shutil.copy(fresh.cert, served.folder / "serve.crt")
    shutil.copy(fresh.key, served.folder / "serve.key")
    served.running.process.send_signal(signal.SIGHUP)
    served.running.wait_log("the configuration was read anew")
    with served.client(trusts=others) as client:
        assert client.get("/health").status_code == 200
    shutil.copy(fresh.cert, served.folder / "serve.key")  # no key: refused, and what was read before goes on
    served.running.process.send_signal(signal.SIGHUP)
    served.running.wait_log("the configuration is refused")
    with served.client(trusts=others) as client:
        assert client.get("/health").status_code == 200
