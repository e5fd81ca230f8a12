from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.voices import CORDONED, DOWN, DRAINED, IDLE, MIXED, READY, Voices, node_names

SLURM, KUBERNETES = (IDLE, MIXED, DOWN, DRAINED), (READY, CORDONED)
NAMES = node_names(5)
NODES = st.sets(st.sampled_from(NAMES))


@st.composite
def spoken(draw: st.DrawFn) -> Voices:
    """Return a site whose voices say whatever they like."""
    site = Voices(NAMES)
    site.telemetry(dict.fromkeys(draw(NODES), 0.0), without=sorted(draw(NODES)))
    for source, words in (("slurm", SLURM), ("kubernetes", KUBERNETES)):
        states = {name: draw(st.sampled_from(words)) for name in sorted(draw(NODES))}
        counts = {name: draw(st.integers(0, 5)) for name in states}
        site.scheduler(source, states, gpus=counts, held=counts)
    site.fact("driver", {name: draw(st.sampled_from(["a", "b", ""])) for name in NAMES})
    return site


@settings(deadline=None, max_examples=60)
@given(spoken(), st.sampled_from(["slurm", "kubernetes", "dcgm", "smi"]))
def test_a_voice_that_is_stale_disagrees_with_nobody(site: Voices, silent: str) -> None:
    site.stale.add(("muc1", silent))
    without = site.judged()
    for row in without.rows:
        loud = {voice.voice for voice in row.voices if not voice.stale}
        assert silent not in loud
        # Everything that is told is told by two voices that are heard, or by facts of like nodes.
        assert len(loud) > 1 or row.kind.startswith("minority-")
    if silent in ("slurm", "kubernetes"):
        other = {"slurm", "kubernetes"} - {silent}
        assert not [row for row in without.rows if row.kind == "drained-elsewhere"], other


@settings(deadline=None, max_examples=40)
@given(spoken())
def test_with_every_voice_stale_nothing_is_said_and_nothing_is_well(site: Voices) -> None:
    site.stale |= {("muc1", source) for source in ("slurm", "kubernetes", "dcgm", "smi")}
    found = site.judged()
    assert (found.rows, found.total) == ((), 0)
    assert found.unjudged == len(NAMES)


@settings(deadline=None, max_examples=40)
@given(spoken(), st.permutations(NAMES))
def test_another_order_of_the_nodes_keeps_every_disagreement_and_its_time(site: Voices, order: list[str]) -> None:
    before = {(row.kind, row.path): (row.since, row.text) for row in site.judged().rows}
    site.now += 3
    site.move([*order, "n90"])
    after = {(row.kind, row.path): (row.since, row.text) for row in site.judged().rows}
    assert {key: value for key, value in after.items() if "n90" not in key[1]} == before
