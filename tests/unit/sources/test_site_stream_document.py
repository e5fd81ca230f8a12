"""What docs/site-api.md says of the stream is enough to read it: its example client gets what ours gets."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from console.model.columns import same_time
from console.model.reading import ColumnPart, InOrder
from tests.support.fleets import small_site
from tests.support.streams import Server

DOCUMENT = (Path(__file__).parents[3] / "docs" / "site-api.md").read_text()


class Exactly(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        got = super().read(size)
        if not got:
            raise EOFError
        return got


def client() -> dict[str, Any]:
    (code,) = re.findall(r"### A client in short\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def test_the_documents_client_reads_the_stream() -> None:
    topology, random = small_site(), np.random.default_rng(5)
    server = Server(topology, sweep_s=1.0)
    data = b""
    for step in range(12):
        told = {
            "temp_c": random.normal(60, 9, 48),
            "xid": random.integers(0, 3, 48) * 31.0,
            "power_w": np.where(random.random(48) < 0.1, np.nan, random.normal(700, 90, 48)),
            "ecc_sbe": np.full(48, 3e9) + step,
        }
        parts = [
            ColumnPart(name, InOrder("gpu", 1, 48), values.astype(np.float32), same_time(server.at + 5, 48))
            for name, values in told.items()
        ]
        records = server.step(*parts, dt=5.0)
        data += b"".join(record.data for record in (records if step else server.encoder.opening()))
    read, held, values = client(), {}, {}
    try:
        for record in read["records"](Exactly(data)):
            if record["type"] == "column":
                name = record["metric"]
                values[name], held[name] = read["numbers"](record, held.get(name))
    except EOFError:
        pass
    expected = server.encoder.columns.told()
    assert values.keys() == expected.keys()
    for name in expected:
        assert np.array_equal(values[name], expected[name], equal_nan=True), name


def test_the_document_names_every_type() -> None:
    section = DOCUMENT.partition("## The stream")[2].partition("\n## ")[0]
    from console.model.builtin_metrics import BUILTIN
    from console.sources.site_stream import StreamDecoder
    from tests.support.streams import FAULTS

    for kind in (*StreamDecoder(FAULTS, "muc1", "muc1", BUILTIN)._readers, "beat", "dropped", "bye"):
        assert f"| `{kind}` |" in section, kind
