"""Asks NVML about every GPU of this machine through its own bindings; blocking, for one thread at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.core.kernel_log import pci_key
from console.model.errors import NotOffered, SourceError, Unauthorized
from console.sources.smi.values import SmiGpu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Call = Callable[[Any, Any], Any]

MOST_GPUS = 256


def _field(name: str) -> Call:
    def get(nvml: Any, handle: Any) -> float:
        code = getattr(nvml, name, None)
        if code is None:
            raise nvml.NVMLError(nvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        value = nvml.nvmlDeviceGetFieldValues(handle, [code])[0]
        if value.nvmlReturn != nvml.NVML_SUCCESS:
            raise nvml.NVMLError(value.nvmlReturn)
        # nvml.h, nvmlValueType_t: 0 double, 1 uint, 2 ulong, 3 ulonglong, 4 slonglong, 5 sint
        kinds = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal")
        return float(getattr(value.value, kinds[value.valueType])) if value.valueType < len(kinds) else math.nan

    return get


def _memory(nvml: Any, handle: Any) -> Any:
    """Version 2 does not count what the driver reserves as used; old drivers know the first alone."""
    try:
        return nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2)
    except nvml.NVMLError_FunctionNotFound:
        return nvml.nvmlDeviceGetMemoryInfo(handle)


def _reasons(nvml: Any, handle: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except nvml.NVMLError_FunctionNotFound:
        return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


# Units: NVML gives milliwatts and bytes.
CALLS: Mapping[tuple[str, ...], Call] = {
    ("util_pct",): lambda nvml, h: (nvml.nvmlDeviceGetUtilizationRates(h).gpu,),
    ("temp_c",): lambda nvml, h: (nvml.nvmlDeviceGetTemperature(h, nvml.NVML_TEMPERATURE_GPU),),
    ("mem_temp_c",): lambda nvml, h: (_field("NVML_FI_DEV_MEMORY_TEMP")(nvml, h),),
    ("temp_margin_c",): lambda nvml, h: (nvml.nvmlDeviceGetMarginTemperature(h),),
    ("power_w",): lambda nvml, h: (nvml.nvmlDeviceGetPowerUsage(h) / 1000,),
    ("power_limit_w",): lambda nvml, h: (nvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000,),
    ("sm_clock_mhz",): lambda nvml, h: (nvml.nvmlDeviceGetClockInfo(h, nvml.NVML_CLOCK_SM),),
    ("mem_used_bytes", "mem_free_bytes"): lambda nvml, h: ((info := _memory(nvml, h)).used, info.free),
    ("ecc_sbe",): lambda nvml, h: (nvml.nvmlDeviceGetTotalEccErrors(h, 0, nvml.NVML_VOLATILE_ECC),),
    ("ecc_dbe",): lambda nvml, h: (nvml.nvmlDeviceGetTotalEccErrors(h, 1, nvml.NVML_VOLATILE_ECC),),
    ("remapped_rows", "remap_pending", "remap_failed"): lambda nvml, h: nvml.nvmlDeviceGetRemappedRows(h)[1:4],
    ("pcie_replays",): lambda nvml, h: (nvml.nvmlDeviceGetPcieReplayCounter(h),),
    ("pcie_width",): lambda nvml, h: (nvml.nvmlDeviceGetCurrPcieLinkWidth(h),),
    ("nvlink_errors",): lambda nvml, h: (_field("NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL")(nvml, h),),
    ("recovery_action",): lambda nvml, h: (_field("NVML_FI_DEV_GET_GPU_RECOVERY_ACTION")(nvml, h),),
    ("clock_events",): lambda nvml, h: (_reasons(nvml, h),),
}


class NvmlReader:
    """The GPUs of this machine; `denied` names metrics that this user may not read.

    Which calls a driver does not offer is found out once for each GPU.
    """

    def __init__(self, who: tuple[str, str]) -> None:
        self._who = who
        self._nvml: Any = None
        self._known: dict[int, SmiGpu] = {}
        self._absent: dict[int, set[tuple[str, ...]]] = {}
        self.driver = ""
        self.denied: set[str] = set()

    def read(self) -> tuple[SmiGpu, ...]:
        """Return every GPU; one that is lost has no values and `lost` among its faults. Raises SourceError."""
        nvml = self._nvml or self._start()
        try:
            count = min(int(nvml.nvmlDeviceGetCount()), MOST_GPUS)
        except nvml.NVMLError as error:
            self.close()
            raise self._explained(error) from None
        if not count:
            raise NotOffered(*self._who, "the driver finds no GPU here", "look at lspci and at the kernel log")
        return tuple(self._gpu(index) for index in range(count))

    def close(self) -> None:
        """Let go of the driver; the next read starts anew."""
        nvml, self._nvml = self._nvml, None
        self._absent.clear()
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError:
                return  # a driver that is gone cannot be let go of

    def _start(self) -> Any:
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise self._explained(error) from None
        try:
            self.driver = str(pynvml.nvmlSystemGetDriverVersion())
        except pynvml.NVMLError:
            self.driver = ""
        self._nvml = pynvml
        return pynvml

    def _gpu(self, index: int) -> SmiGpu:
        nvml = self._nvml
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            known = self._known.get(index)
            uuid = str(nvml.nvmlDeviceGetUUID(handle))
            if known is None or known.uuid != uuid:
                known = self._known[index] = self._identity(index, uuid, handle)
        except nvml.NVMLError:
            return self._lost(index)
        values: dict[str, float] = {}
        faults: list[str] = []
        absent = self._absent.setdefault(index, set())
        for names, call in CALLS.items():
            numbers = () if names in absent else self._call(names, call, handle, absent, faults)
            values.update(zip(names, map(float, numbers or [math.nan] * len(names)), strict=True))
        if "lost" in faults:
            return self._lost(index)
        return replace(known, values=values, faults=tuple(faults))

    def _lost(self, index: int) -> SmiGpu:
        known = self._known.get(index) or SmiGpu(index, "", "", "")
        missing = {name: math.nan for names in CALLS for name in names}
        return SmiGpu(index, known.uuid, known.pci, known.model, missing, ("lost",))

    def _call(
        self, names: tuple[str, ...], call: Call, handle: Any, absent: set[tuple[str, ...]], faults: list[str]
    ) -> Any:
        nvml = self._nvml
        try:
            return call(nvml, handle)
        except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound, nvml.NVMLError_InvalidArgument):
            absent.add(names)
        except nvml.NVMLError_NoPermission:
            self.denied.update(names)
            absent.add(names)
        except nvml.NVMLError_GpuIsLost:
            faults.append("lost")
        except nvml.NVMLError:
            faults.extend(names)
        return ()

    def _identity(self, index: int, uuid: str, handle: Any) -> SmiGpu:
        nvml = self._nvml
        return SmiGpu(
            index=index,
            uuid=uuid,
            pci=pci_key(self._text(lambda: nvml.nvmlDeviceGetPciInfo(handle).busId)),
            model=self._text(lambda: nvml.nvmlDeviceGetName(handle)),
            mig=self._text(lambda: nvml.nvmlDeviceGetMigMode(handle)[0]) == "1",
            facts={fact: text for fact, text in (("driver", self.driver), ("vbios", self._vbios(handle))) if text},
        )

    def _vbios(self, handle: Any) -> str:
        return self._text(lambda: self._nvml.nvmlDeviceGetVbiosVersion(handle))

    def _text(self, get: Callable[[], Any]) -> str:
        try:
            said = get()
        except self._nvml.NVMLError:
            return ""
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)

    def _explained(self, error: Any) -> SourceError:
        """Return one clear message for a driver that does not start."""
        import pynvml

        code = getattr(error, "value", 0)
        if code == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            text, advice = "there is no NVIDIA driver on this machine (libnvidia-ml.so.1)", "install it, or drop `nvml`"
            return NotOffered(*self._who, text, advice)
        if code == pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
            return NotOffered(*self._who, "the NVIDIA driver is not loaded", "modprobe nvidia; look at dmesg")
        if code == pynvml.NVML_ERROR_NO_PERMISSION:
            return Unauthorized(*self._who, "this user may not use the GPUs", "give the user access to /dev/nvidia*")
        if code == pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
            text = "the driver was updated under its library"
            return SourceError(*self._who, text, "restart the machine, or unload and load the driver")
        return SourceError(*self._who, f"NVML does not answer: {error}", "look at dmesg; the driver may need a reset")
