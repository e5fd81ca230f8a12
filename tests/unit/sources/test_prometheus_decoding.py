from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.config.values import LabelNames
from console.model.builtin_metrics import BUILTIN
from console.model.errors import BadPayload
from console.model.identity import parse_uuid
from console.model.reading import ColumnPart, EventsPart
from console.sources.exposition.labels import Spelling, choose_spelling
from console.sources.exposition.series import Rows, SeriesBook, reduce, spread
from console.sources.exposition.text import TextDecoder, parse_labels
from console.sources.exposition.who import Who
from console.sources.prometheus.answers import SLICE_BYTES, RowDecoder, Shape, drain, peek_warnings
from console.sources.prometheus.columns import Answer, Columns
from console.sources.prometheus.frozen import FrozenWatch
from console.sources.prometheus.promql import literal, quote

if TYPE_CHECKING:
    from collections.abc import Generator

WHO = Who("muc1", "prom")
POWER = "DCGM_FI_DEV_POWER_USAGE"


def uuid(i: int) -> str:
    return f"GPU-{i:08x}-1111-2222-3333-{i:012x}"


def vector(count: int, *, start: int = 0, **labels: str) -> bytes:
    rows = [
        {
            "metric": {"__name__": POWER, "UUID": uuid(i), "gpu": str(i % 8), "Hostname": f"n{i // 8}", **labels},
            "value": [1000.5, str(i + 0.25)],
        }
        for i in range(start, start + count)
    ]
    data = {"status": "success", "data": {"resultType": "vector", "result": rows}}
    return json.dumps(data, separators=(",", ":")).encode()


def decode(content: bytes, columns: Columns | None = None, shape: Shape = Shape.VECTOR) -> ColumnPart:
    columns = columns or Columns(BUILTIN, Spelling(), WHO)
    answer = Answer(shape, {POWER: [content]}, 1001.0, "power_w")
    return next(part for part in columns.decode(answer) if isinstance(part, ColumnPart))


def test_large_answers_are_decoded_in_slices_and_nothing_is_lost_at_the_cuts() -> None:
    content = vector(5000, pod="x" * 200)
    assert len(content) > 4 * SLICE_BYTES
    columns = Columns(BUILTIN, Spelling(), WHO)
    parts = list(columns.decode(Answer(Shape.VECTOR, {POWER: [content]}, 1001.0, "power_w")))
    assert sum(isinstance(part, EventsPart) for part in parts) > len(content) // SLICE_BYTES
    part = next(part for part in parts if isinstance(part, ColumnPart))
    assert part.values.tolist() == [i + 0.25 for i in range(5000)]
    assert [(int(h), int(low)) for h, low in zip(part.keys.uuid_high[:9], part.keys.uuid_low[:9], strict=True)] == [
        parse_uuid(uuid(i)) for i in range(9)
    ]
    assert part.keys.slots[:9].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0]


def test_pretty_printed_answers_are_read_too() -> None:
    assert len(decode(json.dumps(json.loads(vector(20)), indent=2).encode()).values) == 20


def test_keys_stay_the_same_object_in_any_order_and_grow_with_what_is_new() -> None:
    columns = Columns(BUILTIN, Spelling(), WHO)
    first = decode(vector(50), columns)
    turned = json.loads(vector(50))
    turned["data"]["result"].reverse()
    again = decode(json.dumps(turned, separators=(",", ":")).encode(), columns)
    assert again.keys is first.keys
    assert again.values.tolist() == first.values.tolist()
    part = decode(vector(20), columns)
    assert part.keys is first.keys
    assert np.isnan(part.values[20:]).all()
    assert len(decode(vector(60), columns).keys) == 60


def test_a_gpu_that_moves_gets_new_keys() -> None:
    columns = Columns(BUILTIN, Spelling(), WHO)
    before = decode(vector(8), columns)
    after = decode(vector(8).replace(b'"Hostname":"n0"', b'"Hostname":"n9"'), columns)
    assert after.keys is not before.keys
    assert set(after.keys.nodes) == {"n9"}  # type: ignore[union-attr]


def test_other_metrics_are_decoded_by_uuid_alone_and_new_gpus_still_join() -> None:
    columns = Columns(BUILTIN, Spelling(), WHO)
    decode(vector(8), columns)
    content = vector(10).replace(POWER.encode(), b"DCGM_FI_DEV_GPU_TEMP")
    answer = Answer(Shape.VECTOR, {"DCGM_FI_DEV_GPU_TEMP": [content]}, 1001.0, "temp_c")
    part = next(part for part in columns.decode(answer) if isinstance(part, ColumnPart))
    assert part.values.tolist() == [i + 0.25 for i in range(10)]
    assert part.keys.nodes[-1] == "n1"  # type: ignore[union-attr]


def test_series_without_uuid_join_by_node_and_index() -> None:
    content = vector(16).replace(b'"UUID"', b'"other"')
    part = decode(content, Columns(BUILTIN, Spelling(uuid=()), WHO))
    assert len(part.keys) == 16
    assert not part.keys.uuid_high.any()  # type: ignore[union-attr]
    assert part.keys.nodes[9] == "n1"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"status":"success"}',
        b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":"x"}]}}',
        b'{"status":"error","errorType":"timeout","error":"query timed out"}',
        vector(3)[:-20],
        b"\xff\xfe",
    ],
)
def test_other_shapes_are_one_clear_error(content: bytes) -> None:
    with pytest.raises(BadPayload, match="muc1/prom: "):
        decode(content)


def test_rows_that_name_nobody_join_nothing_and_are_counted() -> None:
    columns = Columns(BUILTIN, Spelling(), WHO)
    content = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}'
    assert len(decode(content, columns).values) == 0
    assert columns.findings.unnamed == 1


def test_warnings_are_seen_without_decoding() -> None:
    content = vector(3)[:-1] + b',"warnings":["store a: \\"down\\"","b"]}'
    assert peek_warnings(content) == ('store a: "down"', "b")
    assert peek_warnings(b'{"status":"success","isPartial":true,' + vector(1)[20:]) == (
        "the store answered in part (isPartial)",
    )
    assert peek_warnings(vector(3)) == ()
    rows: dict[str, Rows] = {}
    decoder = RowDecoder(Spelling(), WHO)
    drain(decoder.query(content, rows))
    assert decoder.take_findings()[1] == ('store a: "down"', "b")
    assert len(rows[POWER]) == 3


def test_export_takes_the_newest_of_several_lines() -> None:
    lines = [
        {"metric": {"__name__": POWER, "UUID": uuid(0), "gpu": "0", "Hostname": "a"}, "values": [1, 2], "timestamps": t}
        for t in ([1000, 2000], [4000, 3000])
    ]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    part = decode(content, shape=Shape.EXPORT)
    assert (part.values.tolist(), part.at.tolist()) == ([1.0], [4.0])


def test_export_with_null_and_infinity() -> None:
    line = {"metric": {"__name__": POWER, "UUID": uuid(0)}, "values": [None, "Infinity"], "timestamps": [1, 2]}
    assert math.isnan(decode(json.dumps(line).encode(), shape=Shape.EXPORT).values[0])


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.from_regex(r"[a-zA-Z_]\w{0,8}", fullmatch=True), st.text(max_size=30), max_size=5))
def test_any_label_text_comes_back_as_it_was(labels: dict[str, str]) -> None:
    labels = {name: text for name, text in labels.items() if name.isascii()}
    escaped = [
        '{}="{}"'.format(name, text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, text in labels.items()
    ]
    assert parse_labels(", ".join(escaped)) == labels


def test_labels_that_cannot_be_read() -> None:
    for text in ('a="1" b="2"', 'a="', "a=1", '="x"'):
        with pytest.raises(ValueError, match="cannot be read"):
            parse_labels(text)


def test_pages_with_every_quirk() -> None:
    page = f"""# HELP {POWER}
# NOTE a remark
{POWER}{{gpu="0", UUID="{uuid(0)}", Hostname="n0" ,}} 12.5 5000
DCGM_FI_DEV_MEMORY_TEMP 0
DCGM_FI_DEV_GPU_TEMP{{gpu="0",UUID="{uuid(0)}",Hostname="n}}0"}} 40

{POWER}{{gpu="1",UUID="{uuid(1)}",Hostname="n0"}} NaN 6000
"""
    found: dict[str, Rows] = {}
    drain(TextDecoder(Spelling(), WHO).page(page.encode(), found, 9.0))
    assert found[POWER].at == [5.0, 6.0]
    assert found[POWER].uuids == [uuid(0), uuid(1)]
    assert found["DCGM_FI_DEV_GPU_TEMP"].at == [9.0]
    assert found["DCGM_FI_DEV_GPU_TEMP"].nodes == ["n}0"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"UUID": "u", "Hostname": "h", "gpu": "0", "modelName": "m"}, ("UUID", "Hostname", "gpu", "modelName")),
        ({"uuid": "u", "hostname": "h", "gpu": "0"}, ("uuid", "hostname", "gpu", "")),
        ({"gpu_uuid": "u", "model_name": "m", "instance": "a:9400"}, ("gpu_uuid", "instance", "", "model_name")),
        ({"UUID": "u", "instance": "a", "kubernetes_node": "k", "GPU": "1"}, ("UUID", "kubernetes_node", "GPU", "")),
        ({"exported_Hostname": "h", "instance": "i:1", "UUID": "u"}, ("UUID", "exported_Hostname", "", "")),
    ],
)  # fmt: skip
def test_spellings(labels: dict[str, str], expected: tuple[str, ...]) -> None:
    found = choose_spelling([labels], LabelNames())
    assert tuple((each or ("",))[0] for each in (found.uuid, found.node, found.gpu, found.model)) == expected


def test_configured_labels_come_first_and_twins_are_read_along() -> None:
    labels = {"UUID": "u", "Hostname": "h", "nodename": "real"}
    assert choose_spelling([labels], LabelNames(node=("nodename",))).node == ("nodename",)
    assert choose_spelling([labels], LabelNames(), {"hostname", *labels}).node == ("Hostname", "hostname")
    rows: dict[str, Rows] = {}
    content = vector(16).replace(b'"Hostname":"n1"', b'"hostname":"n1"')
    drain(RowDecoder(Spelling(node=("Hostname", "hostname")), WHO).query(content, rows))
    assert set(rows[POWER].nodes) == {"n0", "n1"}


def test_instances_lose_their_port() -> None:
    content = vector(1).replace(b'"Hostname":"n0"', b'"instance":"n0.example:9400"')
    assert decode(content, Columns(BUILTIN, Spelling(node=("instance",)), WHO)).keys.nodes == ("n0.example",)  # type: ignore[union-attr]


def finish(steps: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 100, width=32), st.integers(0, 3)), min_size=1, max_size=40))
def test_of_repeated_rows_the_newest_and_largest_holds(rows: list[tuple[int, float, int]]) -> None:
    book = SeriesBook()
    some = Rows(
        [uuid(gpu) for gpu, _, _ in rows], ["n"] * len(rows), ["0"] * len(rows), [""] * len(rows), [""] * len(rows)
    )
    some.values, some.at = [value for _, value, _ in rows], [float(at) for _, _, at in rows]
    order = finish(book.place(some))
    places, values, at = reduce(order, np.array(some.values, np.float32), np.array(some.at), mean=False)
    values, at = spread(places, values, at, len(book))
    for place, high in enumerate(book.keys.uuid_low.tolist()):
        mine = [(t, value) for gpu, value, t in rows if parse_uuid(uuid(gpu))[1] == high]
        newest = max(t for t, _ in mine)
        assert at[place] == newest
        assert values[place] == max(np.float32(value) for t, value in mine if t == newest)


def test_ratios_of_instances_are_averaged() -> None:
    columns = Columns(BUILTIN, Spelling(), WHO)
    rows = [
        {"metric": {"UUID": uuid(0), "Hostname": "n", "gpu": "0", "GPU_I_ID": str(i)}, "value": [1000, text]}
        for i, text in enumerate(("0.2", "0.6"))
    ]
    content = json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}}).encode()
    answer = Answer(Shape.VECTOR, {"DCGM_FI_PROF_SM_ACTIVE": [content]}, 1001.0, "sm_active_ratio")
    part = next(part for part in columns.decode(answer) if isinstance(part, ColumnPart))
    assert part.values.tolist() == [pytest.approx(0.4)]
    assert columns.findings.repeated == 1


def test_frozen_values_need_time_to_advance() -> None:
    watch, keys = FrozenWatch(sweeps=3), decode(vector(2)).keys
    for turn in range(8):
        at = np.array([1000.0 + turn, 1000.0])
        watch.look("power_w", keys, np.array([100.0, 100.0], np.float32), at)  # type: ignore[arg-type]
        assert bool(watch.text) == (turn >= 3)
    assert "of 1 GPUs" in watch.text
    watch.look("power_w", keys, np.array([101.0, 100.0], np.float32), np.array([1010.0, 1000.0]))  # type: ignore[arg-type]
    assert watch.text == ""


def test_text_in_queries_is_quoted() -> None:
    assert quote('a"b\\c\n') == '"a\\"b\\\\c\\n"'
    assert literal("GPU-1.2|x") == "GPU-1\\.2\\|x"
