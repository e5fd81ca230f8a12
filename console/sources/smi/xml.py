"""The XML of `nvidia-smi -q -x`, drivers 418 to 595: elements are found by name, the DTD's version says too little.

Entity definitions are refused and the DTD is never fetched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from console.core.kernel_log import pci_key
from console.sources.smi.cells import Trouble
from console.sources.smi.values import SmiGpu, read_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.model.metrics import MetricTable

END = "</nvidia_smi_log>"
XML_LIMIT = 8 * 1024 * 1024
_REFUSED = re.compile(r"<!(?:ENTITY|DOCTYPE[^>]*\[)", re.IGNORECASE)
# Old names last: <=525 has power_readings and clocks_throttle_reasons.
PATHS: Mapping[str, tuple[str, ...]] = {
    "util_pct": ("utilization/gpu_util",),
    "temp_c": ("temperature/gpu_temp",),
    "temp_margin_c": ("temperature/gpu_temp_tlimit",),
    "mem_temp_c": ("temperature/memory_temp",),
    "power_w": (
        "gpu_power_readings/power_draw", "gpu_power_readings/average_power_draw",
        "gpu_power_readings/instant_power_draw", "power_readings/power_draw",
    ),
    "power_limit_w": ("gpu_power_readings/current_power_limit", "power_readings/power_limit"),
    "sm_clock_mhz": ("clocks/sm_clock",),
    "mem_used_bytes": ("fb_memory_usage/used",),
    "mem_free_bytes": ("fb_memory_usage/free",),
    "remapped_rows": ("remapped_rows/remapped_row_unc",),
    "remap_pending": ("remapped_rows/remapped_row_pending",),
    "remap_failed": ("remapped_rows/remapped_row_failure",),
    "pcie_replays": ("pci/replay_counter",),
    "pcie_width": ("pci/pci_gpu_link_info/link_widths/current_link_width",),
    "recovery_action": ("gpu_recovery_action",),
    "clock_events": (),
}  # fmt: skip
_ECC = {
    "ecc_sbe": ("sram_correctable", "dram_correctable"),
    "ecc_dbe": (
        "sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_uncorrectable",
    ),
}  # fmt: skip
_OLD_ECC = {"ecc_sbe": "volatile/single_bit/total", "ecc_dbe": "volatile/double_bit/total"}
# nvml.h, nvmlClocksEventReason*
_REASONS = {
    "gpu_idle": 0x1, "applications_clocks_setting": 0x2, "sw_power_cap": 0x4, "hw_slowdown": 0x8, "sync_boost": 0x10,
    "sw_thermal_slowdown": 0x20, "hw_thermal_slowdown": 0x40, "hw_power_brake_slowdown": 0x80,
    "display_clocks_setting": 0x100,
}  # fmt: skip


class SmiXmlError(ValueError):
    """A document that is not what `nvidia-smi -q -x` prints."""


def read_xml(text: str, metrics: MetricTable) -> tuple[SmiGpu, ...]:
    """Return the GPUs of a document, in its order; raises SmiXmlError."""
    start = text.find("<nvidia_smi_log")
    if start < 0 or len(text) > XML_LIMIT:
        raise SmiXmlError("there is no <nvidia_smi_log> in it" if start < 0 else "it is larger than 8 MiB")
    if _REFUSED.search(text):
        raise SmiXmlError("it defines entities, which nvidia-smi never does")
    try:
        root = ElementTree.fromstring(text[start : text.find(END) + len(END)] if END in text else text[start:])
    except ElementTree.ParseError as error:
        raise SmiXmlError(f"it is cut off or no XML: {error}") from None
    gpus = root.findall("gpu")
    # Where GPUs were left out, the position says nothing of the index.
    whole = (root.findtext("attached_gpus") or "").strip() in ("", str(len(gpus)))
    driver = _text(root, "driver_version")
    return tuple(_gpu(index if whole else -1, each, metrics, driver) for index, each in enumerate(gpus))


def _gpu(index: int, gpu: ElementTree.Element, metrics: MetricTable, driver: str) -> SmiGpu:
    values: dict[str, float] = {}
    faults: list[str] = []
    for name in (*PATHS, *_ECC):
        metric = metrics.get(name)
        if metric is None:
            continue
        values[name], trouble = read_cell(metric, _cell(gpu, name))
        if trouble is Trouble.FAULT:
            faults.append(name)
    return SmiGpu(
        index=index,
        uuid=_text(gpu, "uuid"),
        pci=pci_key(gpu.get("id", "")),
        model=_text(gpu, "product_name"),
        values=values,
        faults=tuple(faults),
        mig=_text(gpu, "mig_mode/current_mig").lower() == "enabled",
        facts={fact: text for fact, text in (("driver", driver), ("vbios", _text(gpu, "vbios_version"))) if text},
    )


def _text(gpu: ElementTree.Element, path: str) -> str:
    text = " ".join((gpu.findtext(path) or "").split())
    return "" if text in ("N/A", "Unknown Error") else text


def _cell(gpu: ElementTree.Element, name: str) -> str:
    if name in _ECC:
        return _ecc(gpu, name)
    if name == "clock_events":
        return _reasons(gpu)
    texts = [gpu.findtext(path) for path in PATHS[name]]
    told = [text for text in texts if text is not None]
    return next((text for text in told if "N/A" not in text), told[0] if told else "")


def _ecc(gpu: ElementTree.Element, name: str) -> str:
    """Return the sum of the volatile counters of a kind, as a text; a cell that is no number speaks for all."""
    old = gpu.findtext(f"ecc_errors/{_OLD_ECC[name]}")
    if old is not None:
        return old
    cells = [text for each in _ECC[name] if (text := gpu.findtext(f"ecc_errors/volatile/{each}")) is not None]
    numbers = [int(cell) for cell in map(str.strip, cells) if cell.isdigit()]
    if len(numbers) < len(cells):
        return next(cell for cell in cells if not cell.strip().isdigit())
    return str(sum(numbers)) if numbers else ""


def _reasons(gpu: ElementTree.Element) -> str:
    mask, told = 0, False
    for group in ("clocks_event_reasons", "clocks_throttle_reasons"):
        prefix = f"{group.removesuffix('s')}_"
        for element in gpu.findall(f"{group}/*"):
            bit = _REASONS.get(element.tag.removeprefix(prefix))
            state = " ".join((element.text or "").split()).lower()
            if bit is not None and state in ("active", "not active"):
                told = True
                mask |= bit if state == "active" else 0
    return hex(mask) if told else ""
