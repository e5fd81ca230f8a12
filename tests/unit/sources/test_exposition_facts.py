from __future__ import annotations

import pytest

from console.sources.exposition.facts import fact_labels, page_facts

ROW = 'DCGM_FI_DEV_GPU_TEMP{{gpu="{gpu}",UUID="GPU-{gpu}",Hostname="n1",DCGM_FI_DRIVER_VERSION="{driver}"}} 40\n'


def page(*drivers: str) -> bytes:
    return "".join(ROW.format(gpu=gpu, driver=driver) for gpu, driver in enumerate(drivers)).encode()


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (page("580.65.06", "580.65.06"), {"driver": "580.65.06"}),
        (page("580.65.06", "570.1"), {"driver": "570.1, 580.65.06"}),
        (b'x{driver_version="590.48.01", vbios_version="96.00"} 1\n', {"driver": "590.48.01", "vbios": "96.00"}),
        (b'x{my_driver_version="1"} 1\n', {}),
        (b'x{driver_version=""} 1\n', {}),
        (b'x{driver_version="cut off', {}),
        (b"", {}),
    ],
)  # fmt: skip
def test_what_a_page_says_of_its_node(content: bytes, facts: dict[str, str]) -> None:
    assert page_facts(content) == facts


def test_labels_that_are_there_are_asked_for() -> None:
    assert fact_labels(frozenset(["UUID", "driver_version"])) == {"driver": "driver_version"}
    both = frozenset(["DCGM_FI_DRIVER_VERSION", "driver_version"])
    assert fact_labels(both) == {"driver": "DCGM_FI_DRIVER_VERSION"}
