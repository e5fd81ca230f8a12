"""Reads a fleet file: the whole of it to typed values, or every fault of it at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cattrs import Converter
from cattrs.gen import override

from console.config.metric_fields import register_checks, register_metrics
from console.config.secrets import is_private
from console.config.serve_fields import register_serve
from console.config.site_fields import environment, register_sites
from console.config.source_fields import register_sources
from console.config.structure import Fault, duplicates, new_converter, record, structured, text
from console.config.text_fields import between, hooked, matching, positive
from console.config.units import duration_s
from console.config.values import (
    Auth,
    Budget,
    Expect,
    FleetConfig,
    FleetSettings,
    InventoryConfig,
    LabelNames,
    Secret,
    SiteConfig,
    SourceConfig,
    Timeouts,
    Tls,
)
from console.config.yaml_reader import Document, parse_yaml, read_text
from console.model.errors import ConfigError, ConfigErrors

__all__ = [
    "Auth",
    "Budget",
    "Expect",
    "FleetConfig",
    "FleetSettings",
    "InventoryConfig",
    "LabelNames",
    "Secret",
    "SiteConfig",
    "SourceConfig",
    "Timeouts",
    "Tls",
    "load_fleet",
    "parse_fleet",
]

MAX_FLEET_BYTES = 4 * 1024 * 1024
MAX_SITES = 1000
_STATES = ("sqlite", "postgresql")
_FLEET = re.compile(r"[^\W_][\w. -]{0,62}")


def load_fleet(path: Path | str) -> FleetConfig:
    """Return the fleet that a YAML file describes.

    Relative files in it start at its own folder. Raises ConfigErrors with file, line and key of every fault.
    """
    path = Path(path)
    text_of_file = read_text(path, MAX_FLEET_BYTES)
    if isinstance(text_of_file, ConfigError):
        raise ConfigErrors([text_of_file])
    return parse_fleet(text_of_file, path, private=is_private(path))


def parse_fleet(source: str, path: Path, *, private: bool = False) -> FleetConfig:
    """Return the fleet of a YAML text that stands in (or is meant for) the file `path`; raises ConfigErrors."""
    document = parse_yaml(source, str(path))
    if document.data is None and not document.errors:
        document = Document(document.file, None, (ConfigError(str(path), 0, "", "is empty; see fleet.example.yaml"),))
    config, errors = structured(_converter(path, private=private), document, FleetConfig)
    if config is None:
        raise ConfigErrors(errors)
    return replace(config, path=str(path))


def _converter(path: Path, *, private: bool) -> Converter:
    converter = new_converter()
    register_sources(converter, path.parent, private=private)
    register_sites(converter, path.parent)
    register_metrics(converter)
    register_checks(converter, str(path))
    register_serve(converter, path.parent)
    record(
        converter,
        FleetSettings,
        snapshot_hz=hooked(between(0.1, 10)),
        plugin_limit_s=hooked(positive(duration_s, 60), "plugin_limit"),
    )
    record(
        converter,
        FleetConfig,
        check=_fleet_faults,
        fleet=hooked(matching(_FLEET, "letters, digits, '.', '-', '_' and spaces, at most 63")),
        environment=hooked(environment),
        state=hooked(_state(private)),
        path=override(omit=True),
    )
    return converter


def _fleet_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    sites = raw.get("sites")
    if not sites:
        yield Fault("expected at least one site", "sites")
    elif isinstance(sites, list) and len(sites) > MAX_SITES:
        yield Fault(f"expected at most {MAX_SITES} sites, found {len(sites)}", "sites")
    for key in ("sites", "metrics", "checks"):
        yield from duplicates(raw, key)


def _state(private: bool) -> Any:
    def hook(raw: Any, _: Any = None) -> str:
        try:
            parts = urlsplit(text(raw))
            password = parts.password
        except ValueError as error:
            raise Fault(f"is not a URL: {error}") from None
        if parts.scheme not in _STATES:
            raise Fault("expected a database URL: postgresql://user@host/name or sqlite:///path")
        if password and not private:
            raise Fault("holds a password, which is allowed only if nobody else may read the file (chmod 600)")
        return str(raw)

    return hook
