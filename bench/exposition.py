"""Pages of GPU series in Prometheus text, and a feeder process that loads them into a store again and again."""

from __future__ import annotations

import sys
import time
import urllib.request

METRICS = (
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_PROF_SM_ACTIVE",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_DEV_XID_ERRORS",
)
GPUS_PER_NODE = 8
NODES_PER_RACK = 4
RACKS_PER_HALL = 400


def labels(node: int, gpu: int) -> str:
    """Return the labels of one GPU as dcgm-exporter writes them."""
    rack = node // NODES_PER_RACK
    name = f"h{rack // RACKS_PER_HALL + 1}-r{rack:04d}-n{node:05d}"
    uuid = f"GPU-{node:08x}-{gpu:04x}-4abc-8def-{node * 8 + gpu:012x}"
    return (
        f'gpu="{gpu}",UUID="{uuid}",pci_bus_id="00000000:{gpu:02X}:00.0",device="nvidia{gpu}",'
        f'modelName="NVIDIA H100 80GB HBM3",Hostname="{name}"'
    )


def pages(nodes: int, phase: int) -> list[str]:
    """Return one page a metric for `nodes` x 8 GPUs; `phase` shifts the values so that they move."""
    keys = [labels(node, gpu) for node in range(nodes) for gpu in range(GPUS_PER_NODE)]
    return [
        "\n".join(f"{metric}{{{key}}} {_value(metric, row, phase)}" for row, key in enumerate(keys)) + "\n"
        for metric in METRICS
    ]


def _value(metric: str, row: int, phase: int) -> str:
    wave = (row * 7 + phase * 13) % 20
    if "PROF" in metric:
        return f"{0.5 + wave / 100:.6f}"
    if "POWER" in metric:
        return f"{600 + wave * 2:.6f}"
    if any(word in metric for word in ("ECC", "REMAP", "CRC", "REPLAY", "XID")):
        return "0"
    return str(40 + wave)


def feed(url: str, nodes: int, period_s: float) -> None:
    """Load every series each `period_s` until killed."""
    phases = [pages(nodes, 0), pages(nodes, 1)]
    encoded = [[page.encode() for page in each] for each in phases]
    turn = 0
    while True:
        started = time.monotonic()
        for page in encoded[turn % 2]:
            request = urllib.request.Request(f"{url}/api/v1/import/prometheus", data=page, method="POST")
            with urllib.request.urlopen(request, timeout=120) as response:
                response.read()
        turn += 1
        time.sleep(max(0.0, period_s - (time.monotonic() - started)))


if __name__ == "__main__":
    feed(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
