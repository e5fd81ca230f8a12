"""Which exporters a source reads: host lists and URLs of the fleet file, or of a file of targets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.core.hostlist import HostListError, expand
from console.model.errors import ConfigError, ConfigErrors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.config.values import SourceConfig

PORT = 9400
PATH = "/metrics"
MOST_TARGETS = 5000
MOST_FILE_BYTES = 8 * 1024 * 1024
_SCHEME = re.compile(r"https?://")
_IPV6 = re.compile(r"\[[0-9a-fA-F]*:[0-9a-fA-F:.]+\]")


@dataclass(frozen=True)
class Target:
    """One exporter: `name` is how it was written (`n0001:9400`), `host` its host alone."""

    name: str
    host: str
    url: str


def targets_of(site: str, config: SourceConfig) -> tuple[Target, ...]:
    """Return the exporters of a source, each once, in natural order; raises ConfigErrors."""
    path = str(config.options.get("path", "") or PATH)
    try:
        # The brackets of an IPv6 address are no range: such a text is one target.
        words = [word for text in _texts(config) for word in ([text] if _IPV6.search(text) else expand(text))]
        found = {target.url: target for target in (_target(word, path) for word in words)}
    except (HostListError, ValueError, OSError) as error:
        raise _fault(site, config, str(error)) from None
    if not found:
        raise _fault(site, config, "there are none; write n[0001-0500]:9400")
    if len(found) > MOST_TARGETS:
        text = f"{len(found):,} are more than {MOST_TARGETS:,}; let a Prometheus read them, and read that"
        raise _fault(site, config, text)
    return tuple(found.values())


def _fault(site: str, config: SourceConfig, text: str) -> ConfigErrors:
    key = "targets_file" if "targets_file" in config.options else "targets"
    where = f"sites.{site}.sources.{config.name}.{key}"
    return ConfigErrors([ConfigError("the fleet file", config.line, where, text)])


def _texts(config: SourceConfig) -> Iterable[str]:
    yield from config.options.get("targets", ())
    if config.options.get("targets_file"):
        yield from _read(Path(config.base_dir) / Path(config.options["targets_file"]).expanduser())
    if config.url:
        yield config.url


def _read(path: Path) -> list[str]:
    """Return the host lists of a file: one a line, or Prometheus' own JSON of targets (`file_sd`)."""
    text = path.read_bytes()[:MOST_FILE_BYTES].decode()
    if text.lstrip().startswith("[{"):
        groups = json.loads(text)
        return [str(target) for group in groups for target in group.get("targets", [])]
    return [line.partition("#")[0].strip() for line in text.splitlines()]


def _target(word: str, path: str) -> Target:
    parts = urlsplit(word if _SCHEME.match(word) else f"http://{word}")
    host = parts.hostname or ""
    if not host or parts.query or "@" in parts.netloc:
        raise ValueError(f"{word!r} is not a host and port")
    written_out = bool(_SCHEME.match(word))
    address = parts.netloc if parts.port or written_out else f"{parts.netloc.rstrip(':')}:{PORT}"
    rest = parts.path if parts.path.strip("/") else path
    return Target(word, host, f"{parts.scheme}://{address}{rest}")
