from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from console.config.values import LabelNames
from console.link.answers import Body
from console.model.builtin_metrics import BUILTIN
from console.model.errors import BadPayload
from console.sources.dcgm.pages import Pages
from console.sources.dcgm.scrape import Page
from console.sources.dcgm.targets import Target
from console.sources.exposition.labels import Spelling
from console.sources.exposition.text import TextDecoder
from console.sources.exposition.who import Who
from tests.support.exposition import reference

if TYPE_CHECKING:
    from console.sources.exposition.series import Rows

AT = 1_800_000_000.0
WHO = Who("lab", "x")
ROLES = ("UUID", "Hostname", "gpu", "modelName", "GPU_I_ID")
NAMES = ("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "up")
# The reference cuts lines at \r, too, and strips them: neither is in the format.
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=("Cc", "Zs", "Zl", "Zp")), max_size=12
)
numbers = st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=True, allow_infinity=True, width=64))


@st.composite
def lines(draw: st.DrawFn) -> str:
    labels = draw(st.dictionaries(st.sampled_from((*ROLES, "a", "exported_b")), texts, min_size=1, max_size=6))
    space = draw(st.sampled_from(["", " "]))
    written = f",{space}".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
    value = draw(numbers)
    number = str(value) if math.isfinite(value) else {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    time = draw(st.one_of(st.just(""), st.integers(0, 2 * 10**12).map(lambda ms: f" {ms}")))
    comma = draw(st.sampled_from(["", ","]))
    return f"{draw(st.sampled_from(NAMES))}{{{written}{comma}}} {number}{time}"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(lines(), st.sampled_from(["", "# HELP up x", "# a } comment {", "bare 1"])), max_size=8))
def test_pages_are_read_as_the_reference_parser_reads_them(page: list[str]) -> None:
    content = "\n".join([*page, ""]).encode()
    found: dict[str, Rows] = {}
    for _ in TextDecoder(Spelling(), WHO).page(content, found, AT):
        pass
    rows = {
        (name, *key, repr(value), at)
        for name, of in found.items()
        for *key, value, at in zip(
            of.uuids, of.nodes, of.gpus, of.models, of.slices, map(float, of.values), of.at, strict=True
        )
    }
    assert rows == {
        (
            sample.name,
            *(sample.labels.get(role, "") for role in ROLES),
            repr(float(sample.value)),
            AT if sample.timestamp is None else float(sample.timestamp),
        )
        for sample in reference(content)
        if sample.labels
    }


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(st.binary(max_size=60), lines().map(str.encode)), max_size=6), st.booleans())
def test_no_page_does_more_than_be_refused(pieces: list[bytes], openmetrics: bool) -> None:
    pages = Pages(BUILTIN, [Target("n1", "n1", "")], LabelNames(), WHO, node_from_target=False)
    kind = "application/openmetrics-text" if openmetrics else "text/plain"
    content, said = b"\n".join(pieces), ""
    try:
        for _ in pages.decode([Page(0, Body(content, 200, {"content-type": kind}, AT, 0.1, len(content), None))]):
            pass
    except BadPayload as error:
        said = str(error)
    assert "\n" not in said
