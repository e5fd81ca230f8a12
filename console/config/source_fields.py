"""How a source of a fleet file is read: address, credentials, TLS, limits, labels and the options of its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cattrs import Converter
from cattrs.gen import override

from console.config.kinds import (
    INSTEAD_OF_URL,
    OPTIONS,
    SHORTEST_CADENCE_S,
    WAYS,
    WITHOUT_URL,
    kind_fault,
    read_options,
)
from console.config.structure import Fault, FaultsError, Hook, described, faults_of, gathered, keys_of, record, text
from console.config.text_fields import (
    existing_file,
    header_name,
    hooked,
    name,
    one_or_more,
    path_from,
    positive,
    url,
    valued,
    words,
)
from console.config.units import duration_s, size_bytes
from console.config.values import Auth, Budget, LabelNames, Secret, SourceConfig, Timeouts, Tls

MAX_BODY_LIMIT = 4 * 1024**3
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_KEYS = ("env", "file", "command", "value")
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-slurm-user-token")


@dataclass(frozen=True)
class _Basic:
    user: str
    password: Secret


@dataclass(frozen=True)
class _Header:
    name: str
    value: Secret


@dataclass(frozen=True)
class _Auth:
    bearer: Secret | None = None
    basic: _Basic | None = None
    jwt: Secret | None = None
    header: _Header | None = None


def register_sources(converter: Converter, base: Path, *, private: bool) -> None:
    """Teach a converter `SourceConfig`; files start at `base`, and only a private fleet file may hold a secret."""
    record(
        converter,
        Secret,
        check=_secret_check(private),
        secret=True,
        env=hooked(_variable),
        command=hooked(_command),
        file=hooked(path_from(base)),
        value=hooked(_secret_value),
    )
    _register_auth(converter)
    file = hooked(existing_file(base))
    record(converter, Tls, check=_tls_faults, ca_file=file, cert_file=file, key_file=file)
    rate = hooked(valued(size_bytes))
    record(converter, Budget, bytes_per_s=rate, rps=hooked(valued(_plain)))
    limits = {f"{part}_s": hooked(positive(duration_s, 3600), part) for part in ("connect", "read", "total")}
    record(converter, Timeouts, check=_timeout_faults, **limits)
    record(converter, LabelNames, **{field.name: hooked(one_or_more) for field in fields(LabelNames)})
    _register_source(converter, base)


def _register_auth(converter: Converter) -> None:
    record(converter, _Basic, secret=True)
    record(converter, _Header, secret=True, name=hooked(header_name))
    record(converter, _Auth, check=_auth_faults, secret=True)

    def auth(raw: Any, _: Any) -> Auth:
        said = converter.structure(raw, _Auth)
        return Auth(
            bearer=said.bearer,
            basic_user=said.basic.user if said.basic else "",
            basic_password=said.basic.password if said.basic else None,
            jwt=said.jwt,
            header=said.header.name if said.header else "",
            header_value=said.header.value if said.header else None,
        )

    converter.register_structure_hook(Auth, auth)


def _register_source(converter: Converter, base: Path) -> None:
    overrides = {
        "kind": hooked(text),
        "name": hooked(name),
        "url": hooked(url),
        "proxy": hooked(url),
        "headers": hooked(_headers),
        "cadence_s": hooked(positive(duration_s), "cadence"),
        "stale_after_s": hooked(positive(duration_s), "stale_after"),
        "max_body_bytes": hooked(_body_limit, "max_body"),
        **dict.fromkeys(("options", "base_dir", "line"), override(omit=True)),
    }
    record(converter, SourceConfig, **overrides)
    plain: Hook = converter.get_structure_hook(SourceConfig)
    common = tuple(keys_of(SourceConfig, overrides).values())

    def source(raw: Any, kind: Any) -> SourceConfig:
        if not isinstance(raw, Mapping):
            raise Fault(f"expected keys with values, found {described(raw)}")
        faults = list(_source_faults(raw))
        values: list[Any] = []
        own = {key: value for key, value in raw.items() if key in common}
        for read in (lambda: plain(own, kind), lambda: read_options(raw, common)):
            try:
                values.append(read())
            except (Fault, FaultsError) as error:
                faults += faults_of(error)
        if faults:
            raise FaultsError(faults)
        config: SourceConfig = values[0]
        return replace(
            config,
            name=config.name or config.kind,
            options=values[1],
            base_dir=str(base.absolute()),
            line=getattr(raw, "line", 0),
        )

    converter.register_structure_hook(SourceConfig, source)


def _source_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    kind = raw.get("kind")
    if kind is not None and (fault := kind_fault(kind)):
        yield fault
    if kind not in OPTIONS or not isinstance(kind, str):
        return
    instead = INSTEAD_OF_URL.get(kind, ())
    if kind not in WITHOUT_URL and not any(raw.get(key) is not None for key in ("url", *instead)):
        yield Fault(f"is required{', or ' + ' or '.join(instead) if instead else ''}", "url")
    said = [key for key in WAYS.get(kind, ()) if raw.get(key) is not None]
    yield from (Fault(f"goes another way than {said[0]}; write one of them", key) for key in said[1:])
    least_s = SHORTEST_CADENCE_S.get(kind, 0.0)
    with suppress(ValueError):  # what is no duration is told where it is read
        if least_s and raw.get("cadence") is not None and duration_s(raw["cadence"]) < least_s:
            yield Fault(f"must be {least_s:g}s or longer, for every reading costs the server", "cadence")


def _secret_check(private: bool) -> Any:
    def check(raw: Mapping[str, Any]) -> Iterable[Fault]:
        said = [key for key in SECRET_KEYS if raw.get(key)]
        if len(said) != 1:
            yield Fault(f"expected exactly one of {', '.join(SECRET_KEYS)}; found {' and '.join(said) or 'none'}")
        if raw.get("value") and not private:
            message = (
                "a credential in the file is allowed only if nobody else may read it (chmod 600); better: env, file"
            )
            yield Fault(message, "value")

    return check


def _variable(raw: Any, _: Any = None) -> str:
    if not isinstance(raw, str) or not _VARIABLE.fullmatch(raw):
        raise Fault("is not the name of an environment variable")
    return raw


def _command(raw: Any, _: Any = None) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise Fault("expected a list of words ([vault, read, ...])")
    return words(raw)


def _secret_value(raw: Any, _: Any = None) -> str:
    if not isinstance(raw, str):
        raise Fault("expected text in quotes")
    return raw


def _auth_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    said = [key for key in ("bearer", "basic", "jwt", "header") if raw.get(key)]
    if len(said) > 1:
        yield Fault(f"expected one way to sign in, found {' and '.join(said)}")


def _tls_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    if raw.get("key_file") and not raw.get("cert_file"):
        yield Fault("needs cert_file beside it", "key_file")


def _timeout_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    seconds: dict[str, float] = {}
    for key, default in (("connect", Timeouts.connect_s), ("read", Timeouts.read_s), ("total", Timeouts.total_s)):
        try:
            seconds[key] = duration_s(raw[key]) if raw.get(key) is not None else default
        except ValueError:
            return
    if raw.get("total") is not None and seconds["total"] < max(seconds["connect"], seconds["read"]):
        yield Fault("must be at least as long as connect and read", "total")


def _headers(raw: Any, _: Any = None) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise Fault(f"expected header names with texts, found {described(raw)}")
    faults = [
        Fault("holds a secret; use auth: {header: {name: ..., value: {env: ...}}}", key)
        for key in raw
        if key.lower() in _SECRET_HEADERS
    ]
    if faults:
        raise FaultsError(faults)
    return {header_name(key): value for key, value in gathered(raw.items(), _header_value)}


def _header_value(raw: Any) -> str:
    if not text(raw).isascii() or not str(raw).isprintable():
        raise Fault("must be one line of ASCII text")
    return str(raw)


def _plain(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    raise ValueError("expected a number of 0 or more")


def _body_limit(raw: Any, _: Any = None) -> int:
    return int(positive(size_bytes, MAX_BODY_LIMIT)(raw, None))
