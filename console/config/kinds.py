"""The kinds of sources that a fleet file may name, and the keys that only one kind knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from console.config.structure import (
    Fault,
    FaultsError,
    Hook,
    described,
    faults_of,
    gathered,
    one_of,
    text,
    unknown_key,
)
from console.config.text_fields import count, metric_name, name, one_or_more, positive, url, words
from console.config.units import duration_s


def queries(raw: Any, _: Any = None) -> Mapping[str, str]:
    """Take expressions of a site by metric: `{it_power_w: 'sum(site_it_power_watts)'}`."""
    if not isinstance(raw, Mapping):
        raise Fault(f"expected metrics with expressions, found {described(raw)}")
    return {metric_name(key, str): each for key, each in gathered(raw.items(), lambda each: text(each, None))}


def web_path(raw: Any, _: Any = None) -> str:
    """Take the path of an HTTP address, without ? and #."""
    path = text(raw)
    if not path.startswith("/") or any(each in path for each in "?# "):
        raise Fault(f"expected a path such as /metrics, found {described(raw)}")
    return path


def socket_path(raw: Any, _: Any = None) -> str:
    """Take the absolute path of a UNIX socket; the longest that a system takes has 107 characters."""
    path = text(raw)
    if not path.startswith("/") or "\0" in path or len(path.encode()) > LONGEST_SOCKET:
        raise Fault(f"expected the path of a UNIX socket such as /run/gigadeck/muc1.sock, found {described(raw)}")
    return path


def servers(raw: Any, _: Any = None) -> tuple[str, ...]:
    """Take a URL or the path of a UNIX socket, or a list of them."""
    listed = raw if isinstance(raw, list) else [raw]
    return tuple(each for _, each in gathered(enumerate(listed), _server))


def _server(raw: Any) -> str:
    return socket_path(raw) if isinstance(raw, str) and raw.startswith("/") else url(raw)


def slurm_api(raw: Any, _: Any = None) -> str:
    """Take `auto` or a version of slurmrestd's API such as `v0.0.41`."""
    version = text(raw)
    if version != "auto" and not re.fullmatch(r"v[0-9]{1,4}(\.[0-9]{1,4}){2}", version):
        raise Fault(f"expected auto or a version such as v0.0.41, found {described(raw)}")
    return version


LONGEST_SOCKET = 107

# `prometheus`: which dialect, which series are ours, whether recording rules (`gigadeck rules`) are used, how a full
# sweep is read and how often, and expressions for what no site has under one name. `dcgm`: the exporters (host lists,
# in place of `url`), how many are asked at once, and who says what a node is called. `alertmanager`: matchers of the
# alerts that are this site's, and the label that says how bad they are.
OPTIONS: Mapping[str, Mapping[str, Hook]] = {
    "prometheus": {
        "flavor": one_of(("auto", "prometheus", "thanos", "mimir", "victoriametrics")),
        "job": text,
        "selector": text,
        "site_label": text,
        "rules": one_of(("auto", "on", "off")),
        "sweep": one_of(("auto", "federate", "export", "query", "off")),
        "sweep_cadence": positive(duration_s),
        "queries": queries,
    },
    # `site`: its name there, a UNIX socket in place of `url`, and other servers of the same site (URLs, or sockets),
    # which are read while the first one does not answer.
    "site": {"site": name, "socket": socket_path, "also": servers},
    "dcgm": {
        "targets": one_or_more,
        "targets_file": text,
        "path": web_path,
        "concurrency": count(1, 256),
        "hostname_from": one_of(("label", "target")),
    },
    "alertmanager": {"filter": one_or_more, "severity_label": text},
    # `slurm`: a UNIX socket in place of `url`, whose token it is (else the token says), which version of the API is
    # spoken (`auto`: the newest that both sides can do), and the cluster's name where Slurm's own is not wanted.
    # Without slurmrestd: the host (as ssh knows it) on which Slurm's commands are run, and the folder they are in.
    "slurm": {"socket": text, "user": name, "api": slurm_api, "cluster": name, "ssh": text, "bin": text},
    # `kubernetes`: a kubeconfig and its context in place of `url` (left out: as kubectl finds them, or the service
    # account of our pod), what the cluster is called, namespaces (left out: all), the resource that stands for a GPU,
    # the label that says whose a pod is, and whether lists are watched and Kueue is looked for.
    "kubernetes": {
        "kubeconfig": text,
        "context": text,
        "cluster": name,
        "namespaces": one_or_more,
        "gpu_resource": text,
        "user_label": text,
        "watch": one_of(("auto", "off")),
        "kueue": one_of(("auto", "off")),
    },
    "emulator": {"gpus": count(1), "seed": count(0), "scenario": name},
    # Which nodes (left out: the site's inventory), and what runs there; how they are reached is `ssh` of the site.
    "ssh": {
        "nodes": text,
        "command": words,
        "form": one_of(("csv", "xml")),
        "kernel_log": one_of(("auto", "off")),
    },
    "nvml": {"node": text},
    # `redfish`: BMCs (`{node}` stands for each node of the inventory; left out: its column `bmc`), controllers of power
    # shelves, how many are asked at once, how we sign in, and whether GPUs are read (auto: where nothing else tells).
    "redfish": {
        "targets": one_or_more,
        "shelves": one_or_more,
        "concurrency": count(1, 1024),
        "login": one_of(("auto", "basic")),
        "gpus": one_of(("auto", "on", "off")),
    },
    # Which store it is, which lines are the kernel's (LogQL or a LogsQL filter), and which label names the node.
    "logs": {
        "flavor": one_of(("auto", "loki", "victorialogs")),
        "selector": text,
        "node_label": text,
    },
}
WITHOUT_URL = frozenset({"emulator", "kubernetes", "ssh", "nvml", "redfish"})
# Kinds that take other keys in place of a URL.
INSTEAD_OF_URL: Mapping[str, tuple[str, ...]] = {
    "dcgm": ("targets", "targets_file"),
    "slurm": ("socket", "ssh"),
    "site": ("socket",),
}
# Keys of a kind that are ways to the same thing: one of them, not several.
WAYS: Mapping[str, tuple[str, ...]] = {
    "slurm": ("url", "socket", "ssh"),
    "kubernetes": ("url", "kubeconfig"),
    "site": ("url", "socket"),
}
# Kinds that must not be asked more often: every list of Slurm's costs slurmctld, and a BMC is a small computer.
SHORTEST_CADENCE_S: Mapping[str, float] = {"slurm": 30.0, "redfish": 60.0}
# Kinds whose cadence is that of each of many endpoints: the source itself says how often what came is taken.
PACED_BY_ITSELF = frozenset({"redfish"})


def kind_fault(kind: object) -> Fault | None:
    """Return what is wrong with a kind, None for one that is built in."""
    if kind in OPTIONS:
        return None
    try:
        one_of(tuple(OPTIONS))(kind, str)
    except Fault as fault:
        return fault.under("kind")
    return None


def read_options(raw: Mapping[str, Any], common: Iterable[str]) -> Mapping[str, Any]:
    """Return the options of a source by name, as its kind takes them; raises their faults."""
    kind = raw.get("kind")
    hooks = OPTIONS.get(kind, {}) if isinstance(kind, str) else {}
    mine = {key: value for key, value in raw.items() if key not in common and value is not None}
    faults = [unknown_key(key, (*common, *hooks)) for key in mine if key not in hooks]
    values: dict[str, Any] = {}
    for key, value in mine.items():
        try:
            values[key] = hooks[key](value, None) if key in hooks else None
        except (Fault, FaultsError) as error:
            faults += [fault.under(key) for fault in faults_of(error)]
    if faults:
        raise FaultsError(faults)
    return values
