from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.core.fault_log import FaultLog
from console.core.kernel_log import gpu_link, pci_key, read_line
from console.model.levels import Severity
from console.model.xid import XIDS, xid_of

PAYLOADS = Path(__file__).parents[4] / "shared" / "payloads" / "kernel-xid"
NOW = datetime(2026, 2, 1, tzinfo=UTC).timestamp()
OFF = "NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus."


@pytest.mark.parametrize(
    ("line", "code", "pci", "process", "text"),
    [
        (OFF, 79, "0000:9b:00", "", "GPU has fallen off the bus."),
        ("NVRM: Xid (0000:03:00): 14, Channel 00000001", 14, "0000:03:00", "", "Channel 00000001"),
        ("NVRM: Xid (PCI:0000:10:1c): 63, pid=1896, Row Remapper: x", 63, "0000:10:1c", "", "Row Remapper: x"),
        ("NVRM: Xid (PCI:0000:05:00): 79, pid='<unknown>', name=<unknown>, off", 79, "0000:05:00", "", "off"),
        (
            "NVRM: Xid (PCI:0002:00:00): 31, pid=7, name=ray::Worker[0], MMU Fault",
            31,
            "0002:00:00",
            "ray::Worker[0]",
            "MMU Fault",
        ),
        ("NVRM: Xid (PCI:0000:1b:00 GPU-I:05 GPU-CI:00): 43, Ch 00000008", 43, "0000:1b:00", "", "Ch 00000008"),
        ("NVRM: Xid (PCI:0000:01:00): 31, pid=123", 31, "0000:01:00", "", ""),
        ("NVRM: GPU 0000:18:00.0: GPU has fallen off the bus.", 79, "0000:18:00", "", "GPU has fallen off the bus"),
        ("NVRM: Xid (PCI:0000:01:00): 999, something new", 999, "0000:01:00", "", "something new"),
    ],
)
def test_every_spelling_of_an_xid_is_read(line: str, code: int, pci: str, process: str, text: str) -> None:
    fault = read_line(line)
    assert fault is not None
    assert (fault.kind, fault.code, fault.pci, fault.process, fault.text) == ("xid", code, pci, process, text)


@pytest.mark.parametrize(
    "line",
    ["NVRM: Xid error: xyz, invalid data", "NVRM: Xid (invalid): some error", "usb 1-1: new device", "",
     "NVRM: loading", "nvidia-nvswitch0: SXid (invalid): some error",
     "nvidia-nvswitch0: SXid (PCI:0000:00:00.0): xyz, Fatal error"],
)  # fmt: skip
def test_malformed_lines_are_other_lines(line: str) -> None:
    assert read_line(line) is None


@pytest.mark.parametrize(("how", "severity"), [("fatal", Severity.CRITICAL), ("non-fatal", Severity.WARNING)])
def test_the_fabric_managers_words_are_an_sxid(how: str, severity: Severity) -> None:
    said = f"detected NVSwitch {how} error 12028 on fid 0 on NVSwitch pci bus id 00000000:86:00.0 physical id 3 port 61"
    line = f"[Feb 27 2025 15:10:02] [ERROR] [tid 12727] {said}"
    fault = read_line(line, now=NOW)
    assert fault is not None
    assert (fault.kind, fault.code, fault.pci, fault.switch, fault.link) == ("sxid", 12028, "0000:86:00", 3, 61)
    assert (fault.severity, fault.at) == (severity, datetime(2025, 2, 27, 15, 10, 2, tzinfo=UTC).timestamp())
    assert FaultLog("muc1", "n0001", "logs").feed(line, NOW) is not None


@pytest.mark.parametrize(
    ("prefix", "at"),
    [
        ("[430954.5] ", NOW + 430954.5),
        ("6,3964,206764307,-;", NOW + 206.764307),
        ("kern  :warn  : 2025-01-21T04:41:44,283302+00:00 ", 1737434504.283302),
        ("1737434504.283302 n0001 kernel: ", 1737434504.283302),
        ("[Sun Feb 23 16:24:18 2025] ", 1740327858.0),
        ("May 19 07:08:57 host kernel: [680111.6] ", None),
        ("May 19 07:08:57 host kernel: ", datetime(2025, 5, 19, 7, 8, 57, tzinfo=UTC).timestamp()),
        ("<3>", 0.0),
    ],
)
def test_every_prefix_tells_its_time(prefix: str, at: float | None) -> None:
    fault = read_line(prefix + OFF, boot_at=NOW, now=NOW)
    assert fault is not None
    assert fault.at == pytest.approx(NOW + 680111.6 if at is None else at, abs=1e-3)


def test_a_local_time_is_told_in_utc() -> None:
    fault = read_line(f"[Sun Feb 23 16:24:18 2025] {OFF}", local_offset_s=3600)
    assert fault is not None
    assert fault.at == 1740327858.0 - 3600


@pytest.mark.parametrize(("how", "severity"), [("Fatal", Severity.CRITICAL), ("Nonfatal", Severity.WARNING)])
def test_nvlink_5_is_as_bad_as_it_says(how: str, severity: Severity) -> None:
    fault = read_line(f"NVRM: Xid (PCI:0018:01:00): 149, NETIR_LINK_EVT  {how}   XC0 i0 Link -1 (0x000fe406 0x0)")
    assert fault is not None
    assert (fault.severity, fault.unit, fault.link) == (severity, "NETIR_LINK_EVT", -1)


def test_a_recovery_action_is_the_one_that_it_changes_to() -> None:
    text = "154, GPU recovery action changed from 0x4 (Drain and Reset) to 0x0 (None)"
    fault = read_line(f"NVRM: Xid (PCI:0009:01:00): {text}")
    assert fault is not None
    assert (fault.recovery, fault.severity) == (0, Severity.INFO)


def test_sxid_names_switch_and_link() -> None:
    fault = read_line("[131453.7] nvidia-nvswitch0: SXid (PCI:0000:a9:00.0): 20034, Fatal, Link 30 LTSSM Fault Up")
    assert fault is not None
    assert (fault.kind, fault.code, fault.switch, fault.link) == ("sxid", 20034, 0, 30)
    assert fault.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("text", "key"),
    [("00000000:9B:00.0", "0000:9b:00"), ("PCI:0000:9b:00", "0000:9b:00"), ("9b:00.0", "0000:9b:00"), ("", ""),
     ("00010000:03:00.0", "10000:03:00"), ("nonsense", "")],
)  # fmt: skip
def test_pci_addresses_of_all_tools_are_one_key(text: str, key: str) -> None:
    assert pci_key(text) == key


def test_the_driver_joins_address_and_uuid() -> None:
    uuid = "GPU-509665ad-b600-ac93-3616-d754b23d636d"
    assert gpu_link(f"NVRM: GPU at PCI:0000:9b:00: {uuid}") == ("0000:9b:00", uuid)


def test_a_code_that_is_not_in_the_catalogue_is_unknown_and_not_harmless() -> None:
    assert xid_of(177).severity is Severity.UNKNOWN
    assert xid_of(61).severity is Severity.UNKNOWN
    assert xid_of(79).advice == "drain the node and restart it"
    assert set(range(1, 177)) <= set(XIDS)
    assert all(xid_of(code).severity is Severity.UNKNOWN for code in (14, 108, *range(173, 177)))
    assert (xid_of(14).action, xid_of(108).action) == ("IGNORE", "IGNORE")


def test_a_storm_is_one_event_and_the_next_one_counts_it() -> None:
    log = FaultLog("muc1", "n0001", "ssh")
    log.slots = {"0000:9b:00": 4}
    events = [log.feed(f"[{second}.0] {OFF}", NOW + second, boot_at=NOW) for second in range(60)]
    assert [event for event in events[1:] if event] == []
    first = events[0]
    assert first is not None
    assert (first.path, first.kind, first.at) == ("muc1/n0001/g4", "xid", NOW)
    later = log.feed(f"[61.0] {OFF}", NOW + 61, boot_at=NOW)
    assert later is not None
    assert "came 59 more times" in later.text


def test_the_last_xid_of_a_gpu_is_told_for_a_day() -> None:
    log = FaultLog("muc1", "n0001", "ssh")
    log.feed(f"{NOW:.6f} n kernel: {OFF}", NOW)
    changed = "154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"
    log.feed(f"{NOW:.6f} n kernel: NVRM: Xid (PCI:0000:9b:00): {changed}", NOW)
    assert log.last_xid("0000:9b:00", NOW + 86_000) == 79
    assert log.last_xid("0000:9b:00", NOW + 87_000) == 0
    assert log.last_xid("0000:9c:00", NOW) == 0


def test_the_same_fault_of_another_gpu_is_another_event() -> None:
    log = FaultLog("muc1", "n0001", "ssh")
    lines = [OFF, OFF.replace("9b", "9c"), OFF.replace("79", "48")]
    assert all(log.feed(line, NOW) for line in lines)
    assert log.feed(OFF, NOW + 1) is None


def test_a_clock_that_runs_ahead_puts_nothing_into_the_future() -> None:
    event = FaultLog("muc1", "n0001", "ssh").feed(f"{NOW + 3600:.6f} n kernel: {OFF}", NOW)
    assert event is not None
    assert event.at == NOW


@pytest.mark.payload
@pytest.mark.parametrize("name", ["gpud-lines-bare.txt", "gpud-lines-timestamped.txt", "gpud-dmesg-with-xid-119.log"])
def test_captured_lines_are_read_or_malformed(name: str) -> None:
    path = PAYLOADS / name
    if not path.exists():
        pytest.skip("the captured payloads are not beside the project")
    lines = path.read_text().splitlines()
    told = [line for line in lines if " Xid (" in line or " SXid (" in line]
    unread = [line for line in told if read_line(line, now=NOW) is None]
    assert len(told) - len(unread) >= 5
    assert all("(invalid)" in line or "xyz" in line for line in unread)
