"""What a memory may hold, for tests: values with a meaning, and any values at all."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from console.model.events import AlertState
from console.model.incidents import Acknowledgement, Deed, DeedKind, Incident, Note, SharedView, Sign, incident_id
from console.model.levels import Level, Severity
from console.state.values import Baseline

if TYPE_CHECKING:
    from console.state.store import Store

SITE = "muc1"


def sign(key: str = "check:hot", site: str = SITE, **more: object) -> Sign:
    given = {"severity": Severity.WARNING, "title": "hot GPUs", "text": "3 of 8", "path": site, "since": 1.0, **more}
    return Sign(key, site, **given)  # type: ignore[arg-type]  # as given


def incident(key: str = "check:hot", opened_at: float = 100.0, site: str = SITE, **more: object) -> Incident:
    given = {
        "state": AlertState.FIRING,
        "changed_at": opened_at,
        "seen_at": opened_at,
        "worst": Severity.WARNING,
        **more,
    }
    return Incident(incident_id(site, key, opened_at), sign=sign(key, site), opened_at=opened_at, **given)  # type: ignore[arg-type]  # as given


def acknowledged(key: str = "check:hot", opened_at: float = 100.0, by: str = "sre07", at: float = 110.0) -> Incident:
    taken = Acknowledgement(by, at, Severity.WARNING, "on it")
    return incident(key, opened_at, state=AlertState.ACKNOWLEDGED, changed_at=at, acknowledgement=taken)


def note(number: int = 0, subject: str = "node:muc1/n0653", at: float = 100.0, site: str = SITE) -> Note:
    return Note(f"note-{number}", site, subject, "sre07", at, f"words {number}")


def deed(number: int | str = 0, at: float = 100.0) -> Deed:
    identity = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    return Deed(identity, DeedKind.ACKNOWLEDGE, SITE, "muc1-1a2b3c4d", author="sre07", at=at)


def fill(store: Store, fence: int | None = None) -> None:
    """Put something of every kind that a `load` returns."""
    with store.begin(fence) as writer:
        writer.put_incidents([incident("check:hot"), acknowledged("fault:gpu-off-bus")])
        writer.add_note(note())
        writer.put_view(SITE, SharedView("mine", "sre07", 100.0, "panel=fleet"))
        writer.put_baselines([Baseline(SITE, "thermal", "mean", 100.0, bytes(range(256)))])
        writer.remember(deed(), "acknowledged")


# What every database holds as it is; what it does not is replaced, which a test of its own says.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
times = st.floats(0.0, 4e9, allow_nan=False)
severities = st.sampled_from(list(Severity))
signs = st.builds(
    Sign,
    key=texts,
    site=st.just(SITE),
    severity=severities,
    title=texts,
    text=texts,
    path=texts,
    since=times,
    paths=st.lists(texts, max_size=3).map(tuple),
    gpus=st.integers(0, 10_000_000),
    exact=st.booleans(),
    matches=st.integers(0, 10_000_000),
    level=st.sampled_from(list(Level)),
    jobs=st.lists(texts, max_size=3).map(tuple),
    folds=st.lists(texts, max_size=3).map(tuple),
)
acknowledgements = st.builds(Acknowledgement, author=texts, at=times, severity=severities, note=texts)
incidents = st.builds(
    Incident,
    id=texts.filter(bool),
    state=st.sampled_from([AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.RESOLVED]),
    sign=signs,
    opened_at=times,
    changed_at=times,
    seen_at=times,
    worst=severities,
    resolved_at=times,
    returns=st.integers(0, 1000),
    acknowledgement=st.none() | acknowledgements,
    keeper=texts,
)
notes = st.builds(Note, id=texts, site=st.just(SITE), subject=texts, author=texts, at=times, text=texts)
views = st.builds(SharedView, name=texts, author=texts, at=times, spec=texts)
