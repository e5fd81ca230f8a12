"""The XID catalogue: what each code of NVIDIA's driver means, how bad it is, and what NVIDIA says to do.

Source: NVIDIA's Xid catalogue (docs.nvidia.com/deploy/xid-errors) of October 2025, Ampere and newer. Severities are
ours: what needs a reset or a restart is critical, what ends an application is a warning, what NVIDIA ignores is info.
"""

from __future__ import annotations

from console.model.levels import Severity
from console.model.values import dataclass

_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_UNKNOWN = Severity.UNKNOWN

# NVIDIA's words for actions, in ours. WORKFLOW_* are decision trees in its catalogue.
ACTIONS = {
    "RESTART_APP": "restart the application",
    "RESET_GPU": "drain the node and reset the GPU",
    "RESTART_BM": "drain the node and restart it",
    "RESTART_VM": "restart the virtual machine",
    "UPDATE_SWFW": "update driver and firmware",
    "CHECK_MECHANICALS": "check cables and power on site",
    "CHECK_UVM": "look at the application's memory faults",
    "CONTACT_SUPPORT": "contact support",
    "IGNORE": "nothing to do",
    "WORKFLOW_XID_45": "follow the XID that came before; alone: restart the fabric manager",
    "WORKFLOW_XID_48": "drain the node and reset the GPU; replace it if it comes back",
    "WORKFLOW_NVLINK_ERR": "drain the node and reset the GPU; inspect the link if it comes back",
    "WORKFLOW_NVLINK5_ERR": "fatal: reset the GPU; not fatal: watch the link",
    "XID_154": "do what the message says",
}


@dataclass(frozen=True, slots=True)
class Xid:
    """One code. `action` and `investigate` are NVIDIA's own words, empty where it names none."""

    code: int
    meaning: str
    severity: Severity
    action: str = ""
    investigate: str = ""

    @property
    def advice(self) -> str:
        """What to do, in plain words."""
        return ACTIONS.get(self.action, self.action.lower().replace("_", " ")) or "look at the XIDs around it"


def xid_of(code: int) -> Xid:
    """Return what is known of a code; one that the catalogue does not have is unknown, never harmless."""
    return XIDS.get(code) or Xid(code, "not in NVIDIA's catalogue", Severity.UNKNOWN, "CONTACT_SUPPORT")


def _of(code: int, meaning: str, severity: Severity, action: str, investigate: str = "") -> tuple[int, Xid]:
    return code, Xid(code, meaning, severity, action, investigate)


def _unused(*codes: int) -> dict[int, Xid]:
    meaning = "unused on data-centre GPUs since Ampere"
    return {code: Xid(code, meaning, Severity.UNKNOWN, "CONTACT_SUPPORT") for code in codes}


XIDS: dict[int, Xid] = dict(
    (
        _of(8, "GPU stopped processing", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(11, "Invalid or corrupted push buffer stream", _WARNING, "RESTART_APP", "CHECK_APP/CUDA"),
        _of(13, "Graphics Engine Exception", _WARNING, "RESTART_APP", "WORKFLOW_XID_13"),
        _of(14, "Fake error (unused)", _UNKNOWN, "IGNORE", "CONTACT_SUPPORT"),
        _of(25, "Invalid or illegal push buffer stream", _WARNING, "RESTART_APP", "CHECK_APP/CUDA"),
        _of(31, "GPU memory page fault", _WARNING, "RESTART_APP", "WORKFLOW_XID_31"),
        _of(32, "Invalid or corrupted push buffer stream", _WARNING, "RESTART_APP", "CHECK_APP/CUDA"),
        _of(37, "Driver firmware error", _INFO, "IGNORE", "CHECK_APP/CUDA"),
        _of(38, "Driver firmware error", _WARNING, "IGNORE", "CONTACT_SUPPORT"),
        _of(39, "Copy Engine Exception", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(40, "Copy Engine Exception", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(41, "Copy Engine Exception", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(43, "GPU stopped processing", _INFO, "IGNORE", "CONTACT_SUPPORT"),
        _of(44, "Graphics Engine fault during context switch", _WARNING, "IGNORE", "CONTACT_SUPPORT"),
        _of(45, "Preemptive cleanup, due to previous errors", _INFO, "WORKFLOW_XID_45", "RESTART_FM if alone"),
        _of(46, "GPU stopped processing", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(48, "Double Bit ECC Error", _CRITICAL, "WORKFLOW_XID_48", "WORKFLOW_XID_48"),
        _of(54, "Auxiliary power is not connected to the GPU board", _WARNING, "CHECK_MECHANICALS", "CONTACT_SUPPORT"),
        _of(60, "Video processor exception", _WARNING, "RESTART_APP", "INVESTIGATE_SW"),
        _of(62, "Internal micro-controller halt (newer drivers)", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(63, "GPU memory remapping event", _INFO, "IGNORE", "IGNORE"),
        _of(64, "GPU memory remapping failure", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(66, "Illegal access by driver", _INFO, "IGNORE", "INVESTIGATE_SW"),
        _of(67, "Illegal access by driver", _INFO, "IGNORE", "CONTACT_SUPPORT"),
        _of(68, "NVDEC0 Exception", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(69, "Graphics Engine class error", _WARNING, "RESTART_APP", "CHECK_APP/CUDA"),
        _of(70, "CE3: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(71, "CE4: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(72, "CE5: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(74, "NVLINK Error", _CRITICAL, "WORKFLOW_NVLINK_ERR", "CONTACT_SUPPORT"),
        _of(75, "CE6: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(76, "CE7: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(77, "CE8: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(78, "VGPU Start Error", _WARNING, "UPDATE_SWFW", "UPDATE_SWFW"),
        _of(79, "GPU has fallen off the bus", _CRITICAL, "RESTART_BM", "CONTACT_SUPPORT"),
        _of(80, "Corrupted data sent to GPU", _WARNING, "RESTART_APP", "CHECK_APP/CUDA"),
        _of(82, "NVJPG0 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(83, "NVDEC1 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(84, "NVDEC2 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(85, "CE9: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(86, "OFA Exception", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(88, "NVDEC3 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(89, "NVDEC4 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(92, "High single-bit ECC error rate", _WARNING, "IGNORE", "CONTACT_SUPPORT"),
        _of(93, "Non-fatal violation of provisioned InfoROM wear limit", _WARNING, "IGNORE", "CONTACT_SUPPORT"),
        _of(94, "Contained memory error", _WARNING, "RESTART_APP", "IGNORE"),
        _of(95, "Uncontained memory error", _CRITICAL, "RESET_GPU", "IGNORE"),
        _of(96, "NVDEC5 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(97, "NVDEC6 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(98, "NVDEC7 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(99, "NVJPG1 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(100, "NVJPG2 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(101, "NVJPG3 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(102, "NVJPG4 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(103, "NVJPG5 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(104, "NVJPG6 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(105, "NVJPG7 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(106, "SMBPBI Test Message", _INFO, "IGNORE", "IGNORE"),
        _of(107, "SMBPBI Test Message Silent", _INFO, "IGNORE", "IGNORE"),
        _of(108, "NVLink remote translation error (unused)", _UNKNOWN, "IGNORE", "XID_137_FLOW"),
        _of(109, "Context Switch Timeout Error", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(110, "Security Fault Error", _CRITICAL, "RESET_GPU", "INVESTIGATE_SW"),
        _of(119, "GSP RPC Timeout", _CRITICAL, "RESET_GPU", "INVESTIGATE_SW"),
        _of(120, "GSP Error", _CRITICAL, "RESET_GPU", "INVESTIGATE_SW"),
        _of(121, "C2C Error", _WARNING, "IGNORE", "CONTACT_SUPPORT"),
        _of(126, "CE10: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(127, "CE11: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(128, "CE12: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(129, "CE13: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(130, "CE14: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(131, "CE15: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(132, "CE16: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(133, "CE17: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(134, "CE18: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(135, "CE19: Unknown Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(136, "Link Training Failed", _CRITICAL, "RESET_GPU", "INVESTIGATE_LINK_SI"),
        _of(137, "NVLink Privilege Error", _INFO, "IGNORE", "XID_137_FLOW"),
        _of(139, "OFA1 Error", _WARNING, "RESTART_APP", "CONTACT_SUPPORT"),
        _of(140, "ECC Unrecovered Error", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(141, "CUDA Fast Path Error", _INFO, "IGNORE", "CONTACT_SUPPORT"),
        _of(142, "NVENC3 Error", _WARNING, "CONTACT_SUPPORT"),
        _of(143, "GPU Initialization Error", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(144, "NVLINK: SAW Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(145, "NVLINK: RLW Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(146, "NVLINK: TLW Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(147, "NVLINK: TREX Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(148, "NVLINK: NVLPW_CTRL Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(149, "NVLINK: NETIR Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(150, "NVLINK: MSE Error", _WARNING, "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"),
        _of(151, "Key rotation Error", _CRITICAL, "RESTART_VM", "CONTACT_SUPPORT"),
        _of(152, "DLA SMMU Error", _INFO, "IGNORE", "CONTACT_SUPPORT"),
        _of(153, "DLA timeout Error", _INFO, "IGNORE", "CONTACT_SUPPORT"),
        _of(154, "GPU Recovery Action Changed", _INFO, "XID_154"),
        _of(155, "NVLINK: SW Defined Error", _CRITICAL, "RESET_GPU", "INVESTIGATE_SW_USER"),
        _of(156, "Resource Retirement Event", _CRITICAL, "RESET_GPU", "IGNORE"),
        _of(157, "Resource Retirement Failure", _WARNING, "IGNORE", "CONTACT_SUPPORT"),
        _of(158, "GPU Fatal Timeout", _CRITICAL, "RESET_GPU", "CONTACT_SUPPORT"),
        _of(159, "CHI Non-Data Error", _WARNING, "CHECK_UVM", "SYMPATHETIC_REPORT_SOLO"),
        _of(160, "Channel Retirement Event", _INFO, "IGNORE", "INVESTIGATE_SW"),
        _of(161, "Channel Retirement Failure", _WARNING, "IGNORE", "INVESTIGATE_SW"),
        _of(162, "Power Smoothing HW Circuitry capability reengaged", _INFO, ""),
        _of(163, "Power Smoothing HW Circuitry capability disengaged", _WARNING, ""),
        _of(164, "Power Smoothing HW Circuitry low lifetime reached", _WARNING, ""),
        _of(165, "Power Smoothing HW Circuitry lifetime exhausted", _WARNING, ""),
        _of(166, "CC traffic seen prior to link properly being configured for encrypted traffic", _CRITICAL, ""),
        _of(167, "PCIE_FATAL_TIMEOUT", _CRITICAL, ""),
        _of(168, "Errors found in WPR (write protected region)", _CRITICAL, ""),
        _of(169, "Internal micro-controller halt", _CRITICAL, ""),
        _of(170, "Interrupt seen in CC mode", _WARNING, ""),
        _of(171, "Details of XID 48: DRAM or SRAM", _INFO, ""),
        _of(172, "Details of XID 48: DRAM or SRAM", _INFO, ""),
        # The catalogue has these not yet; their names are those of the open kernel modules 595.45.04 (nverror.h).
        _of(173, "C2C fatal link failure", _UNKNOWN, "CONTACT_SUPPORT"),
        _of(174, "Channel was reset and its process killed", _UNKNOWN, "CONTACT_SUPPORT"),
        _of(175, "Memory subsystem error", _UNKNOWN, "CONTACT_SUPPORT"),
        _of(176, "PCIe correctable error fault", _UNKNOWN, "CONTACT_SUPPORT"),
    )
) | _unused(
    *range(1, 8),
    9,
    10,
    12,
    *range(15, 25),
    *range(26, 31),
    *range(33, 37),
    42,
    47,
    *range(49, 54),
    *range(55, 60),
    61,
    65,
    73,
    81,
    87,
    90,
    91,
    *range(111, 119),
    *range(122, 126),
    138,
)
