from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.identity import format_uuid, parse_uuid, parse_uuids

HEX = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
USUAL = HEX.map(lambda d: f"GPU-{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}")
ODD = st.one_of(
    st.sampled_from(["", "GPU-", "GPU-" + "0" * 32, "GPU-00000000-0000-0000-0000-000000000000", "x" * 40, "é" * 40]),
    USUAL.map(lambda text: text.replace("GPU", "MIG")),
    USUAL.map(lambda text: text[:-1] + "g"),
    USUAL.map(lambda text: text[:12] + "_" + text[13:]),
    HEX.map(lambda digits: f"GPU-{digits}"),
    st.text(max_size=45),
)


@given(st.lists(st.one_of(USUAL, ODD), max_size=6) | st.lists(USUAL, max_size=6))
@settings(max_examples=200, deadline=None)
def test_many_are_read_as_each_alone(texts):
    high, low = parse_uuids(texts)
    assert list(zip(high.tolist(), low.tolist(), strict=True)) == [parse_uuid(text) for text in texts]


def test_more_than_a_slice_of_them_come_back_as_they_were():
    texts = [format_uuid(number + (1 << 60), number * 7919) for number in range(25_000)]
    texts[12_345] = ""
    high, low = parse_uuids(texts)
    assert [format_uuid(*pair) for pair in zip(high.tolist(), low.tolist(), strict=True)] == texts
    assert high.dtype == low.dtype == np.uint64
