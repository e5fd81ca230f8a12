"""Slurm's untouched record of one node or job: the row that slurmrestd sends, or what scontrol prints."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from console.model.errors import NotOffered, ServerFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.ports import Subject
    from console.sources.slurm.api import Api

# A node may be known here by a name that Slurm does not have: so many are tried.
MOST_NAMES = 5
UNKNOWN = ("invalid node", "invalid job", "not found")
SAY = "printf '%s\\n' \"$o\""
_rows = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = re.compile(r"[\w.\-\[\],]{1,200}")


def names_of(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield what Slurm may be asked for, as (`node` or `job`, name); what no node or job can be called is left out."""
    if subject.job:
        whole = subject.job.partition("[")[0].rstrip("_")
        names = [("job", whole), ("job", whole.partition("_")[0])]
    else:
        names = [("node", name) for name in (subject.node, *subject.aliases)]
    usable = (each for each in dict.fromkeys(names) if _NAME.fullmatch(each[1]) and not each[1].startswith((".", "-")))
    yield from list(usable)[:MOST_NAMES]


async def record_of(api: Api, subject: Subject) -> str:
    """Return slurmrestd's row of a node or job, indented, empty where it has none; raises SourceError."""
    await api.negotiate()
    for kind, name in names_of(subject):
        try:
            body = await api.ask(f"{kind}/{quote(name, safe='')}")
        except (NotOffered, ServerFailed) as error:
            if isinstance(error, ServerFailed) and not is_unknown(error.message):
                raise
            continue
        found = _written(body.content, f"{kind}s")
        if found:
            return found
    return ""


def is_unknown(said: str) -> bool:
    """Whether Slurm says that it knows nothing of what was asked for."""
    return any(word in said.lower() for word in UNKNOWN)


def show_script(subject: Subject, folder: str, mark: str) -> str:
    """Return the script that prints what scontrol knows of a subject, one name after the other; empty for nothing."""
    shown = (f"scontrol show {kind} {shlex.quote(name)} -d" for kind, name in names_of(subject))
    asked = [f"o=$({each} 2>&1 </dev/null) && {{ {SAY}; exit 0; }}" for each in shown]
    if not asked:
        return ""
    path = f"PATH={shlex.quote(folder)}:$PATH" if folder else "PATH=$PATH"
    head = (f"{path}:/opt/slurm/bin:/usr/local/slurm/bin; export PATH", f"echo '{mark} start'")
    return "\n".join((*head, *asked, SAY, ""))


def _written(content: bytes, rows: str) -> str:
    try:
        told = _items.decode(_rows.decode(content).get(rows) or b"[]")
        return "\n".join(msgspec.json.format(bytes(each), indent=2).decode() for each in told)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")


def other_cluster(subject: Subject, cluster: str) -> bool:
    """Whether a job is said to be of another cluster (`job:SITE/ID@CLUSTER`)."""
    told = subject.path.partition("@")[2]
    return bool(subject.job and told and cluster and told != cluster)
