from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.fault_log import FaultLog
from console.core.kernel_signs import WORDS, read_sign, worth_reading
from console.model.levels import Severity

NOW = 1_784_000_000.0

OOM = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=step_0,mems_allowed=0-1,oom_memcg=/slurm/uid_1000/"
    "job_4711,task_memcg=/slurm/uid_1000/job_4711/step_0/task_0,task=python3,pid=12345,uid=1000"
)
LINES = [
    (OOM, "oom", "12345"),
    ("Out of memory: Killed process 12345 (python3) total-vm:900kB, anon-rss:800kB, file-rss:0kB", "oom", "12345"),
    ("Memory cgroup out of memory: Killed process 77 (ray::Worker) total-vm:1kB", "oom", "77"),
    ("Out of memory: Kill process 8 (x) score 900 or sacrifice child", "oom", "8"),
    ("Kernel panic - not syncing: Fatal exception in interrupt", "panic", ""),
    ("watchdog: BUG: soft lockup - CPU#12 stuck for 26s! [python:1234]", "hang", "CPU#12"),
    ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 3", "hang", "cpu 3"),
    ("INFO: task nvidia-smi:4321 blocked for more than 120 seconds.", "hang", "nvidia-smi:4321"),
    ("rcu: INFO: rcu_sched self-detected stall on CPU", "hang", "CPU"),
    ("python3[991]: segfault at 0 ip 00007f rsp 0000 error 4 in libnccl.so.2[7f+1]", "crash", "python3[991]"),
    ("{1}[Hardware Error]: event severity: fatal", "hardware", "fatal"),
    ("mce: [Hardware Error]: Machine check events logged", "hardware", ""),
    ("EDAC MC1: 1 UE memory read error on CPU_SrcID#1_MC#0_Chan#0", "hardware", "MC1"),
    ("pcieport 0000:3a:00.0: AER: Uncorrected (Fatal) error received: 0000:3b:00.0", "pcie", "0000:3a:00.0"),
    ("pcieport 0000:3a:00.0: AER: Uncorrectable (Non-Fatal) error message received from 0000:3b:00.0", "pcie",
     "0000:3a:00.0"),
    ("pciehp: Slot(12): Link Down", "pcie", "Slot(12)"),
    ("mlx5_core 0000:5e:00.0: poll_health:739:(pid 0): device's health compromised - reached miss count", "link",
     "0000:5e:00.0"),
    ("mlx5_core 0000:5e:00.0: Port module event: module 0, Cable unplugged", "link", "0000:5e:00.0"),
    ("mlx5_core 0000:5e:00.0 ens1f0np0: Link down", "link", "ens1f0np0"),
    ("bond0: (slave ens1f0): link status definitely down, disabling slave", "link", "ens1f0"),
    ("ice 0000:31:00.0 ens2: NIC Link is Down", "link", "ens2"),
    ("bnxt_en 0000:31:00.0 ens2: NIC Link is Down", "link", "ens2"),
    ("blk_update_request: I/O error, dev nvme0n1, sector 2048 op 0x0:(READ)", "storage", "nvme0n1"),
    ("Buffer I/O error on dev dm-0, logical block 0, lost sync page write", "storage", "dm-0"),
    ("critical medium error, dev nvme2n1, sector 99 op 0x0:(READ)", "storage", "nvme2n1"),
    ("nvme nvme0: controller is down; will reset: CSTS=0xffffffff", "storage", "nvme0"),
    ("nvme nvme1: I/O 12 QID 3 timeout, aborting", "storage", "nvme1"),
    ("EXT4-fs error (device nvme0n1p2): ext4_find_entry:1455: inode #2", "storage", "nvme0n1p2"),
    ("EXT4-fs (sda1): Remounting filesystem read-only", "storage", "sda1"),
    ("XFS (nvme0n1p1): Corruption of in-memory data detected.  Shutting down filesystem", "storage", "nvme0n1p1"),
    ("nfs: server nas01 not responding, still trying", "storage", "nas01"),
    ("LustreError: 11-0: scratch-OST0001-osc-ffff: operation ost_write failed: rc = -5", "storage",
     "scratch-OST0001-osc-ffff"),
    ("Lustre: scratch-MDT0000-mdc-ffff: Connection to scratch-MDT0000 (at 10.0.0.1@o2ib) was lost; in progress",
     "storage", "scratch-MDT0000-mdc-ffff"),
    ("CPU12: Core temperature above threshold, cpu clock throttled (total events = 7)", "thermal", "CPU12"),
    ("NVRM: GPU 0000:18:00.0: RmInitAdapter failed! (0x26:0x56:1482)", "driver", ""),
    ("NVRM: API mismatch: the client has the version 550.54, but this kernel module has 535.1", "driver", ""),
    ("NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024", "driver", ""),
    ("Linux version 5.15.0-1053 (buildd@lcy02) (gcc 11.4.0) #59-Ubuntu SMP", "boot", ""),
    ("reboot: Restarting system", "boot", ""),
]  # fmt: skip
PREFIXES = ("", "[430954.512345] ", "May 19 07:08:57 n0001 kernel: [680111.6] ", "6,3964,206764307,-;",
            "kern  :warn  : 2025-01-21T04:41:44,283302+00:00 ")  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "about"), LINES)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_line_tells_its_kind_whatever_stands_before_it(line: str, kind: str, about: str, prefix: str) -> None:
    sign = read_sign(prefix + line)
    assert sign is not None
    assert (sign.kind, sign.about) == (kind, about)
    assert worth_reading(prefix + line)


def test_a_kill_for_memory_names_the_job_and_the_limit() -> None:
    sign = read_sign(LINES[0][0])
    assert sign is not None
    assert sign.text == "python3 (pid 12345) of job 4711 was killed: its memory limit was used up"
    assert sign.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "line",
    ["", "usb 1-1: new device", "mlx5_core 0000:5e:00.0 ens1: Link up", "nfs: server nas01 OK", "eth0: renamed",
     "audit: type=1400 msg='about Linux versions'", "nvme nvme0: 32/0/0 default/read/poll queues",
     "EDAC MC0: 1 CE memory read error", "perf: interrupt took too long", "oom_reaper: reaped process 12345 (python3)"],
)  # fmt: skip
def test_other_lines_are_other_lines(line: str) -> None:
    assert read_sign(line) is None


@given(st.text(max_size=300), st.sampled_from(WORDS), st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_left_and_what_is_read_was_worth_reading(before: str, word: str, after: str) -> None:
    for line in (before + after, before + word + after):
        if read_sign(line) is not None:
            assert worth_reading(line)


def test_a_time_in_the_line_is_the_sign_s() -> None:
    sign = read_sign("[12.5] reboot: Restarting system", boot_at=NOW)
    assert sign is not None
    assert sign.at == NOW + 12.5


def test_the_kernel_s_two_lines_of_one_kill_are_one_event() -> None:
    log = FaultLog("muc1", "n0001", "logs")
    events = [log.feed(line, NOW, at=NOW) for line, _, _ in LINES[:2]]
    assert events[0] is not None
    assert (events[0].kind, events[0].path, events[0].at) == ("oom", "muc1/n0001", NOW)
    assert events[1] is None


def test_a_told_time_is_believed_before_the_line_s() -> None:
    event = FaultLog("muc1", "n0001", "logs").feed("[12.5] reboot: Restarting system", NOW + 9, boot_at=1.0, at=NOW)
    assert event is not None
    assert event.at == NOW


def test_a_gpu_without_a_slot_is_named_by_the_uuid_that_the_driver_told() -> None:
    log, uuid = FaultLog("muc1", "n0001", "logs"), "GPU-509665ad-b600-ac93-3616-d754b23d636d"
    assert log.feed(f"NVRM: GPU at PCI:0000:9b:00: {uuid}", NOW) is None
    event = log.feed("NVRM: Xid (PCI:0000:9b:00): 79, pid=1, GPU has fallen off the bus.", NOW)
    assert event is not None
    assert event.path == f"muc1/n0001/{uuid}"
