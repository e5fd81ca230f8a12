"""A stand-in for a Kubernetes API server on loopback, faithful enough for the real kubectl.

Lists with `continue` and resourceVersion (0 is the watch cache, which takes no limit), watches with bookmarks and 410,
conflicts on PUT and PATCH, evictions with a disruption budget (429), RBAC (403), TLS with client certificates, bearer
tokens, pod logs, YAML. Objects are plain dicts; every change is kept as an event until it is compacted away.
"""

from __future__ import annotations

import base64
import copy
import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Object = dict[str, Any]
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
KUEUE = "kueue.x-k8s.io"


@dataclass(frozen=True)
class Kind:
    api: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        return self.api.removeprefix("/apis/").removeprefix("/api/")


KINDS = (
    Kind("/api/v1", "nodes", "Node", namespaced=False, short=("no",)),
    Kind("/api/v1", "pods", "Pod", short=("po",)),
    Kind("/api/v1", "events", "Event", short=("ev",)),
    Kind("/apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", short=("pdb",)),
    Kind(f"/apis/{KUEUE}/v1beta1", "workloads", "Workload", short=("wl",)),
)


class Refusal(Exception):  # noqa: N818 - what a server does, not what goes wrong here
    def __init__(self, code: int, reason: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers

    @property
    def status(self) -> Object:
        told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message}
        return told | {"reason": self.reason, "code": self.code}


@dataclass
class Change:
    version: int
    plural: str
    type: str
    object: Object

    @property
    def line(self) -> bytes:
        return json.dumps({"type": self.type, "object": self.object}, separators=(",", ":")).encode() + b"\n"


@dataclass
class Kube:
    """The cluster. `rights` maps a user to what he may do (`list nodes`, `* *`); without any, everybody may all."""

    kueue: bool = True
    tokens: dict[str, str] = field(default_factory=dict)
    rights: dict[str, set[str]] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    bookmark_s: float = 0.2
    cache: bool = True
    busy: str = ""
    url: str = ""
    ca_pem: str = ""
    version: int = 1000
    oldest: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    watching: int = 0
    canned: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lock = threading.Condition()
        self.objects: dict[str, dict[tuple[str, str], Object]] = {kind.plural: {} for kind in KINDS}
        self.changes: list[Change] = []
        self.logs: dict[tuple[str, str], list[str]] = {}
        self.stopping = False
        self.cut = 0

    # What a test does to the cluster.

    def put(self, plural: str, thing: Object) -> Object:
        """Create or replace an object."""
        with self.lock:
            meta = thing.setdefault("metadata", {})
            key = (meta.get("namespace", ""), meta["name"])
            self.version += 1
            before = self.objects[plural].get(key)
            meta["resourceVersion"] = str(self.version)
            meta.setdefault("uid", before["metadata"]["uid"] if before else f"uid-{self.version}")
            meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
            self.objects[plural][key] = thing
            self._note(plural, "MODIFIED" if before else "ADDED", thing)
            return thing

    def remove(self, plural: str, name: str, namespace: str = "") -> None:
        with self.lock:
            self.version += 1
            thing = copy.deepcopy(self.objects[plural].pop((namespace, name)))
            thing["metadata"]["resourceVersion"] = str(self.version)
            self._note(plural, "DELETED", thing)

    def compact(self) -> None:
        """Forget every change so far: a watch from before is answered with 410."""
        with self.lock:
            self.oldest = self.version
            self.changes.clear()

    def drop_watches(self) -> None:
        """End every watch that runs, as a restart does."""
        with self.lock:
            self.cut += 1
            self.lock.notify_all()

    def log(self, namespace: str, pod: str, line: str) -> None:
        with self.lock:
            self.logs.setdefault((namespace, pod), []).append(line)
            self.lock.notify_all()

    def asked(self, path: str) -> list[str]:
        return [target for method, target in list(self.requests) if method == "GET" and urlsplit(target).path == path]

    def _note(self, plural: str, kind: str, thing: Object) -> None:
        self.changes.append(Change(self.version, plural, kind, copy.deepcopy(thing)))
        self.lock.notify_all()

    def kinds(self) -> list[Kind]:
        return [kind for kind in KINDS if self.kueue or KUEUE not in kind.api]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    disable_nagle_algorithm = True

    @property
    def kube(self) -> Kube:
        return self.server.kube

    def do_GET(self) -> None:
        self._guarded(self._get)

    def do_PUT(self) -> None:
        self._guarded(self._put)

    def do_PATCH(self) -> None:
        self._guarded(self._patch)

    def do_POST(self) -> None:
        self._guarded(self._post)

    def do_DELETE(self) -> None:
        self._guarded(self._delete)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _guarded(self, act: Any) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.content = self.rfile.read(length)
        parts = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.kube.requests.append((self.command, self.path))
        try:
            self.user = self._who()
            if self.kube.busy:
                raise Refusal(429, "TooManyRequests", "the server is busy", **{"Retry-After": self.kube.busy})
            act(unquote(parts.path).rstrip("/"))
        except Refusal as error:
            self._say(error.status, error.code, error.headers)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def _who(self) -> str:
        if isinstance(self.connection, ssl.SSLSocket):
            told: Any = self.connection.getpeercert() or {}
            names = [value for part in told.get("subject", ()) for key, value in part if key == "commonName"]
            if names:
                return str(names[0])
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token in self.kube.tokens:
            return self.kube.tokens[token]
        if self.kube.tokens:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        return "anonymous"

    def _allow(self, verb: str, resource: str, namespace: str) -> None:
        rights = self.kube.rights.get(self.user)
        if not self.kube.rights or (
            rights and {f"{verb} {resource}", "* *", f"{verb} {resource} in {namespace}"} & rights
        ):
            return
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        text = (
            f'{resource} is forbidden: User "{self.user}" cannot {verb} resource "{resource}" in API group "" {where}'
        )
        raise Refusal(403, "Forbidden", text)

    def _say(self, thing: Object, code: int = 200, headers: dict[str, str] | None = None) -> None:
        accept = self.headers.get("Accept") or ""
        if accept.startswith("application/yaml") and code < 400:
            import yaml

            self._send(yaml.safe_dump(thing).encode(), code, "application/yaml", headers)
        else:
            self._send(json.dumps(thing, separators=(",", ":")).encode(), code, "application/json", headers)

    def _send(self, body: bytes, code: int, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # Reading.

    def _get(self, path: str) -> None:
        told = self._discovery(path)
        if told is not None:
            return self._say(told)
        kind, namespace, name, sub = self._place(path)
        if kind.plural == "pods" and sub == "log":
            return self._log(namespace, name)
        if name:
            self._allow("get", kind.plural, namespace)
            return self._say(self._typed(kind, self._find(kind, namespace, name)))
        if self.query.get("watch") in ("true", "1"):
            self._allow("watch", kind.plural, namespace)
            return self._watch(kind, namespace)
        self._allow("list", kind.plural, namespace)
        return self._list(kind, namespace)

    def _discovery(self, path: str) -> Object | None:
        kinds = self.kube.kinds()
        if path == "/version":
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.1", "platform": "linux/amd64"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        groups = [_group(each) for each in sorted({kind.version for kind in kinds if "/" in kind.version})]
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        for each in groups:
            if path == f"/apis/{each['name']}":
                return {"kind": "APIGroup", "apiVersion": "v1", **each}
        mine = [kind for kind in kinds if kind.api == path]
        if not mine:
            return None
        rows = [
            {"name": kind.plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced, "kind": kind.kind}
            | {"verbs": VERBS, "shortNames": list(kind.short)}
            for kind in mine
        ]
        if path == "/api/v1":
            eviction = {"name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy"}
            rows.append(eviction | {"version": "v1", "kind": "Eviction", "verbs": ["create"]})
            rows.append({"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]})
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": mine[0].version, "resources": rows}

    def _place(self, path: str) -> tuple[Kind, str, str, str]:
        """Return kind, namespace, name and subresource of a path."""
        for kind in self.kube.kinds():
            if not path.startswith(f"{kind.api}/"):
                continue
            rest = path[len(kind.api) + 1 :].split("/")
            namespace = ""
            if kind.namespaced and rest[0] == "namespaces" and len(rest) > 2:
                namespace, rest = rest[1], rest[2:]
            if rest[0] == kind.plural and len(rest) <= 3:
                rest += ["", ""]
                return kind, namespace, rest[1], rest[2]
        raise Refusal(404, "NotFound", "the server could not find the requested resource")

    def _find(self, kind: Kind, namespace: str, name: str) -> Object:
        with self.kube.lock:
            found = self.kube.objects[kind.plural].get((namespace, name))
            if found is None:
                raise Refusal(404, "NotFound", f'{kind.plural} "{name}" not found')
            return copy.deepcopy(found)

    @staticmethod
    def _typed(kind: Kind, thing: Object) -> Object:
        return {"kind": kind.kind, "apiVersion": kind.version, **thing}

    def _matches(self, thing: Object, namespace: str) -> bool:
        if namespace and thing["metadata"].get("namespace") != namespace:
            return False
        for term in filter(None, (self.query.get("fieldSelector") or "").split(",")):
            key, _, value = term.partition("=")
            at: Any = thing
            for part in key.split("."):
                at = at.get(part) if isinstance(at, dict) else None
            if str(at or "") != value.lstrip("="):
                return False
        return True

    def _list(self, kind: Kind, namespace: str) -> None:
        kube, query = self.kube, self.query
        if kind.plural in kube.canned:
            self._send(kube.canned[kind.plural], 200, "application/json")
            return
        limit, start = int(query.get("limit") or 0), 0
        with kube.lock:
            version = kube.version
            if query.get("continue"):
                version, start = json.loads(base64.urlsafe_b64decode(query["continue"]))
                if version < kube.oldest:
                    raise Refusal(410, "Expired", "The provided continue parameter is too old")
            elif query.get("resourceVersion") == "0" and kube.cache:
                limit = 0  # the watch cache gives everything
            elif query.get("resourceVersionMatch") == "NotOlderThan" and int(query["resourceVersion"]) > kube.version:
                raise Refusal(504, "Timeout", f"Too large resource version: {query['resourceVersion']}")
            things = [each for each in kube.objects[kind.plural].values() if self._matches(each, namespace)]
            things = things[start:]
            meta: Object = {"resourceVersion": str(version)}
            if limit and len(things) > limit:
                things, left = things[:limit], len(things) - limit
                meta["continue"] = base64.urlsafe_b64encode(json.dumps([version, start + limit]).encode()).decode()
                meta["remainingItemCount"] = left
            body = {"kind": f"{kind.kind}List", "apiVersion": kind.version, "metadata": meta, "items": things}
            content = copy.deepcopy(body)
        self._say(content)

    def _watch(self, kind: Kind, namespace: str) -> None:
        kube = self.kube
        said = self.query.get("resourceVersion") or ""
        since = int(said) if said.isdigit() and said != "0" else kube.version
        first: list[bytes] = []
        with kube.lock:
            cut = kube.cut
            if not said or said == "0":  # what is there now comes first
                there = [each for each in kube.objects[kind.plural].values() if self._matches(each, namespace)]
                first = [Change(0, kind.plural, "ADDED", self._typed(kind, each)).line for each in there]
            if since < kube.oldest:
                gone = Refusal(410, "Expired", f"too old resource version: {since} ({kube.oldest})")
                first = [json.dumps({"type": "ERROR", "object": gone.status}).encode() + b"\n"]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b"".join(first))
        if not (first and b'"ERROR"' in first[0]):
            kube.watching += 1
            try:
                self._stream(kind, namespace, since, cut)
            finally:
                kube.watching -= 1
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, kind: Kind, namespace: str, since: int, cut: int) -> None:
        kube = self.kube
        until = time.monotonic() + float(self.query.get("timeoutSeconds") or 1800)
        marks = self.query.get("allowWatchBookmarks") in ("true", "1")
        marked = time.monotonic()
        while time.monotonic() < until:
            with kube.lock:
                news = [each for each in kube.changes if each.version > since]
                if not news and not kube.stopping and kube.cut == cut:
                    kube.lock.wait(min(0.05, kube.bookmark_s))
                    news = [each for each in kube.changes if each.version > since]
                if kube.stopping or kube.cut != cut:
                    return
                since = news[-1].version if news else since
            mine = [each for each in news if each.plural == kind.plural and self._matches(each.object, namespace)]
            for each in mine:
                self._chunk(Change(each.version, each.plural, each.type, self._typed(kind, each.object)).line)
            if marks and time.monotonic() - marked > kube.bookmark_s:
                marked = time.monotonic()
                mark = self._typed(kind, {"metadata": {"resourceVersion": str(since), "creationTimestamp": None}})
                self._chunk(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")

    def _chunk(self, content: bytes) -> None:
        if content:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
            self.wfile.flush()

    def _log(self, namespace: str, name: str) -> None:
        self._allow("get", "pods/log", namespace)
        pod = self._find(KINDS[1], namespace, name)
        names = [each["name"] for each in pod["spec"]["containers"]]
        if len(names) > 1 and self.query.get("container") not in names:
            raise Refusal(
                400, "BadRequest", f"a container name must be specified for pod {name}, choose one of: {names}"
            )
        kube, sent = self.kube, 0
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            with kube.lock:
                lines = kube.logs.get((namespace, name), [])
                if len(lines) == sent and not kube.stopping and self.query.get("follow") == "true":
                    kube.lock.wait(0.05)
                new, ended = lines[sent:], kube.stopping or (namespace, name) not in kube.objects["pods"]
                sent = len(lines)
            self._chunk("".join(f"{line}\n" for line in new).encode())
            if (ended or self.query.get("follow") != "true") and not new:
                break
        self.wfile.write(b"0\r\n\r\n")

    # Writing.

    def _put(self, path: str) -> None:
        kind, namespace, name, _ = self._place(path)
        self._allow("update", kind.plural, namespace)
        self._store(kind, namespace, name, json.loads(self.content))

    def _patch(self, path: str) -> None:
        kind, namespace, name, _ = self._place(path)
        self._allow("patch", kind.plural, namespace)
        with self.kube.lock:
            thing = self._find(kind, namespace, name)
            patch = json.loads(self.content)
            if "json-patch" in (self.headers.get("Content-Type") or ""):
                raise Refusal(415, "UnsupportedMediaType", "json patches are not understood here")
            merge(thing, patch)
            if "resourceVersion" not in patch.get("metadata", {}):
                thing["metadata"].pop("resourceVersion", None)
            self._store(kind, namespace, name, thing)

    def _store(self, kind: Kind, namespace: str, name: str, thing: Object) -> None:
        with self.kube.lock:
            there = self._find(kind, namespace, name)
            said = thing["metadata"].get("resourceVersion")
            if said and said != there["metadata"]["resourceVersion"]:
                text = f'Operation cannot be fulfilled on {kind.plural} "{name}": the object has been modified'
                raise Refusal(409, "Conflict", f"{text}; please apply your changes to the latest version and try again")
            for key in ("kind", "apiVersion"):
                thing.pop(key, None)
            dry = "dryRun" in self.query
            stored = thing if dry else self.kube.put(kind.plural, thing)
        self._say(self._typed(kind, stored))

    def _post(self, path: str) -> None:
        kind, namespace, name, sub = self._place(path)
        if sub == "eviction":
            self._allow("create", "pods/eviction", namespace)
            self._evict(namespace, name)
            return
        self._allow("create", kind.plural, namespace)
        thing = json.loads(self.content)
        for key in ("kind", "apiVersion"):
            thing.pop(key, None)
        if namespace:
            thing["metadata"]["namespace"] = namespace
        with self.kube.lock:
            if (namespace, thing["metadata"]["name"]) in self.kube.objects[kind.plural]:
                raise Refusal(409, "AlreadyExists", f'{kind.plural} "{thing["metadata"]["name"]}" already exists')
            stored = copy.deepcopy(self.kube.put(kind.plural, thing))
        self._say(self._typed(kind, stored), 201)

    def _evict(self, namespace: str, name: str) -> None:
        kube = self.kube
        with kube.lock:
            pod = self._find(KINDS[1], namespace, name)
            app = (pod["metadata"].get("labels") or {}).get("app", "")
            if app in kube.budgets:
                if kube.budgets[app] <= 0:
                    text = "Cannot evict pod as it would violate the pod's disruption budget."
                    raise Refusal(429, "TooManyRequests", text, **{"Retry-After": "1"})
                kube.budgets[app] -= 1
            kube.remove("pods", name, namespace)
        self._say({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)

    def _delete(self, path: str) -> None:
        kind, namespace, name, _ = self._place(path)
        self._allow("delete", kind.plural, namespace)
        thing = self._find(kind, namespace, name)
        self.kube.remove(kind.plural, name, namespace)
        self._say(self._typed(kind, thing))


def _group(version: str) -> Object:
    name, _, number = version.partition("/")
    each = {"groupVersion": version, "version": number}
    return {"name": name, "versions": [each], "preferredVersion": each}


def merge(thing: Object, patch: Object) -> None:
    """Apply a merge patch: the same as a strategic one for what kubectl cordons, labels and annotates with."""
    for key, value in patch.items():
        if value is None:
            thing.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(thing.get(key), dict):
                thing[key] = {}
            merge(thing[key], value)
        else:
            thing[key] = value


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    kube: Kube

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up


@contextmanager
def kube_server(kube: Kube, certificates: Certificates | None = None) -> Iterator[Kube]:
    """Serve a cluster on a free loopback port until the block ends."""
    server = Server(("127.0.0.1", 0), Handler)
    server.kube = kube
    if certificates is not None:
        server.socket = certificates.server_context().wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        kube.ca_pem = certificates.ca_pem
    kube.url = f"{'https' if certificates else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kube
    finally:
        with kube.lock:
            kube.stopping = True
            kube.lock.notify_all()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass(frozen=True)
class Certificates:
    """An authority, the server's certificate and clients' ones."""

    folder: Path
    ca_pem: str
    ca_key: Any
    ca_certificate: Any

    @classmethod
    def made(cls, folder: Path) -> Certificates:
        key, certificate = _signed("gigadeck test authority", None, None, ca=True)
        made = cls(folder, _pem(certificate), key, certificate)
        server_key, server = _signed("127.0.0.1", key, certificate, ip="127.0.0.1")
        (folder / "ca.crt").write_text(made.ca_pem)
        (folder / "server.pem").write_text(_pem(server) + _key_pem(server_key))
        return made

    def client(self, name: str) -> tuple[str, str]:
        """Return certificate and key of a client, PEM."""
        key, certificate = _signed(name, self.ca_key, self.ca_certificate)
        return _pem(certificate), _key_pem(key)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.folder / "ca.crt"))
        context.load_cert_chain(self.folder / "server.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


def _signed(name: str, issuer_key: Any, issuer: Any, *, ca: bool = False, ip: str = "") -> tuple[Any, Any]:
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signer = issuer_key or key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if ip:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip))])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(signer, hashes.SHA256())


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return str(certificate.public_bytes(Encoding.PEM).decode())


def _key_pem(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization as form

    told = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return str(told.decode())


# Objects as the API server writes them, as far as a test needs them.


def node(name: str, *, gpus: int | None = 8, allocatable: int | None = None, **more: Any) -> Object:
    """Return a node that is ready, of eight GPUs."""
    amounts: Object = {"cpu": "224", "memory": "1024Gi", "pods": "110"}
    mine = {} if gpus is None else {"nvidia.com/gpu": str(gpus)}
    usable = {} if gpus is None else {"nvidia.com/gpu": str(gpus if allocatable is None else allocatable)}
    conditions = [condition(kind, "False") for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")]
    conditions += more.pop("conditions", [condition("Ready", "True", "KubeletReady")])
    labels = {"kubernetes.io/hostname": name, "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    labels |= {"nvidia.com/cuda.driver-version.full": "570.86.15", "nvidia.com/gpu.count": str(gpus or 0)}
    info = {"kernelVersion": "6.8.0-60-generic", "osImage": "Ubuntu 24.04.2 LTS", "kubeletVersion": "v1.33.2"}
    info |= {"containerRuntimeVersion": "containerd://2.1.3", "architecture": "amd64"}
    return {
        "metadata": {"name": name, "labels": labels | more.pop("labels", {})},
        "spec": {"podCIDR": "10.0.0.0/24", **more},
        "status": {
            "capacity": amounts | mine,
            "allocatable": amounts | usable,
            "conditions": conditions,
            "nodeInfo": info,
        },
    }


def condition(kind: str, status: str, reason: str = "", message: str = "", at: str = "2026-11-01T10:00:00Z") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


def pod(
    name: str,
    *,
    on: str = "",
    phase: str = "",
    gpus: int = 8,
    owner: tuple[str, str] | None = None,
    namespace: str = "research",
    **more: Any,
) -> Object:
    """Return a pod with GPUs, running where it has a node."""
    phase = phase or ("Running" if on else "Pending")
    asked = {"limits": {"nvidia.com/gpu": str(gpus), "cpu": "64"}} if gpus else {}
    meta: Object = {"name": name, "namespace": namespace, "creationTimestamp": "2026-11-01T09:00:00Z"}
    meta |= {"labels": more.pop("labels", {"app": "train"})}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": f"uid-{owner[1]}", "controller": True}]
    meta |= more.pop("metadata", {})
    spec: Object = {"containers": [{"name": "main", "image": "train:1", "resources": asked}], **more.pop("spec", {})}
    spec |= {"nodeName": on} if on else {}
    status: Object = {"phase": phase, **more}
    if phase != "Pending":
        status.setdefault("startTime", "2026-11-01T09:05:00Z")
    return {"metadata": meta, "spec": spec, "status": status}
