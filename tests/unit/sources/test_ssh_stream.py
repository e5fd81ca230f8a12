from __future__ import annotations

import asyncio
import math
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.config.values import SshConfig
from console.link.ssh.pool import SshLink
from console.model.builtin_metrics import BUILTIN
from console.model.errors import Unauthorized, Unreachable
from console.model.reading import ColumnPart, EventsPart
from console.sources.smi.table import GpuTable
from console.sources.smi.values import SmiGpu, wanted_fields
from console.sources.ssh.decoder import Decoder
from console.sources.ssh.report import common_error, notes_of, warnings_of
from console.sources.ssh.script import Order, script_of
from console.sources.ssh.stream import MOST_NOISE_BYTES, MOST_ROWS, FloodError, LineCutter, NodeStream
from console.sources.ssh.watch import NodeWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = b"@@gigadeck start\n@@gigadeck fields index,uuid,power.draw\n"
COUNTED = b"@@gigadeck start\n@@gigadeck fields index,uuid,power.draw,count\n"
WHO = ("lab", "ssh")


def watch(node: str = "n1", order: Order | None = None, news: Callable[[], None] = lambda: None) -> NodeWatch:
    order = order or Order((("index",), ("uuid",), ("power.draw",)), 5.0)
    return NodeWatch(node, node, SshLink(*WHO, SshConfig()), order, news, who=WHO)


def test_lines_are_cut_wherever_the_network_cuts_them() -> None:
    text = b"one\r\ntwo\nthree\n"
    for size in (1, 2, 5, 100):
        cutter = LineCutter()
        lines = [line for at in range(0, len(text), size) for line in cutter.feed(text[at : at + size])]
        assert lines == ["one", "two", "three"]


def test_a_line_without_an_end_takes_no_memory() -> None:
    cutter = LineCutter(100)
    assert [line for _ in range(50) for line in cutter.feed(b"x" * 60)] == []
    assert list(cutter.feed(b"\nnext\n")) == ["next"]
    assert cutter.dropped == 1


def test_what_comes_before_our_script_is_noise() -> None:
    stream = NodeStream()
    stream.feed(b"Welcome!\n0, GPU-x, 1\nLast login: today\n", 1.0)
    assert not stream.rows
    stream.feed(START + b"0, GPU-1, 500.25\n", 2.0)
    stream.flush()
    assert [row[2] for row in stream.rows] == ["0, GPU-1, 500.25"]
    assert (stream.started_at, stream.row_at) == (2.0, 2.0)


def test_half_of_a_node_is_not_given_out() -> None:
    stream = NodeStream()
    assert not stream.feed(COUNTED + b"0, GPU-0, 1, 3\n1, GPU-1, 1, 3\n", 1.0)
    assert stream.held
    assert not stream.rows
    assert stream.feed(b"2, GPU-2, 1, 3\n", 1.2)
    assert (len(stream.rows), stream.row_at, stream.held) == (3, 1.2, False)


def test_where_a_node_does_not_count_its_gpus_the_next_time_ends_the_last() -> None:
    stream = NodeStream()
    assert not stream.feed(START + b"0, GPU-0, 1\n1, GPU-1, 1\n", 1.0)
    assert stream.feed(b"0, GPU-0, 2\n", 6.0)
    assert (len(stream.rows), stream.row_at) == (2, 1.0)
    stream.flush()
    assert (len(stream.rows), stream.row_at) == (3, 6.0)


async def test_rows_that_wait_for_others_in_vain_are_given_out() -> None:
    news = asyncio.Event()
    node = watch(news=news.set)
    node.take(node.stream, COUNTED + b"0, GPU-0, 1, 8\n", kernel=False)
    assert not node.stream.rows
    async with asyncio.timeout(10):
        await news.wait()
    assert len(node.stream.rows) == 1


def test_a_flood_before_the_first_word_ends_it() -> None:
    stream = NodeStream()
    stream.feed(b"y\n" * (MOST_NOISE_BYTES // 2), 1.0)
    with pytest.raises(FloodError, match="start-up files"):
        stream.feed(b"y\n", 1.0)


def test_a_flood_after_it_ends_it_too() -> None:
    stream = NodeStream()
    stream.feed(START, 1.0)
    for second in range(3):  # a healthy node may send as much in time
        stream.feed(b"0, GPU-1, 500.25\n" * 20_000, float(second))
    stream.feed(b"y\n" * (MOST_NOISE_BYTES // 2 - 1000), 4.0)
    with pytest.raises(FloodError, match="no row of it can be read"):
        stream.feed(b"y\n" * 2000, 4.0)


def test_rows_that_nobody_takes_are_bounded() -> None:
    stream = NodeStream()
    stream.feed(START, 1.0)
    for index in range(3 * MOST_ROWS):
        stream.feed(f"{index % 8}, GPU-{index % 8}, {index}\n".encode(), 2.0)
    stream.flush()
    assert len(stream.rows) == MOST_ROWS


def test_kernel_lines_of_others_are_dropped() -> None:
    stream = NodeStream()
    stream.feed(START, 1.0)
    assert not stream.feed_kernel(b"usb 1-1: new device\n", 1.0)
    assert stream.feed_kernel(b"[1.0] NVRM: Xid (PCI:0000:9b:00): 79, off\n", 1.0)
    assert len(stream.kernel) == 1


def test_xml_documents_are_put_together() -> None:
    stream = NodeStream()
    stream.feed(b"@@gigadeck start\n@@gigadeck xml\n<nvidia_smi_log>\n<gpu>\n", 1.0)
    assert not stream.rows
    stream.feed(b"</gpu>\n</nvidia_smi_log>\n<nvidia_smi_log>\n", 2.0)
    assert [(at, fields) for at, fields, _ in stream.rows] == [(2.0, ())]


def test_a_field_that_a_driver_has_not_is_asked_for_no_more() -> None:
    node = watch(order=Order((("index",), ("gpu_recovery_action",), ("clocks_a", "clocks_b")), 5.0))
    node.stream.feed(START + b'Field "clocks_a" is not a valid field to query.\n@@gigadeck exit 2\n', 1.0)
    assert node._learned()
    assert node._order.fields == (("index",), ("gpu_recovery_action",), ("clocks_b",))


def test_one_lost_gpu_does_not_hide_the_others() -> None:
    node = watch()
    said = b"Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot\n@@gigadeck exit 15\n"
    node.stream.feed(b"@@gigadeck start\n@@gigadeck pci 0000:01:00.0\n@@gigadeck pci 0000:02:00.0\n" + said, 1.0)
    assert node._learned()
    assert node._order.only == ("0000:01:00",)
    assert "-i 0000:01:00" in script_of(node._order)
    assert node.stream.lost == {"0000:02:00"}


def test_silence_is_told_after_three_periods() -> None:
    node = watch()
    node.connected = True
    node.stream.feed(START + b"0, GPU-1, 500.25\n", 100.0)
    node.stream.flush()
    assert node.silent_s(114.0) == 0
    assert node.silent_s(116.0) == 16
    assert "n1: nvidia-smi runs and is silent, for 16 s at most" in warnings_of([node], node._link, 116.0)


def test_the_newest_row_of_each_gpu_is_decoded_and_other_nodes_keep_their_age() -> None:
    first, second = watch("n1"), watch("n2")
    for node, at in ((first, 100.0), (second, 100.0)):
        node.stream.feed(START + b"0, GPU-1, 1\n1, GPU-2, 2\n", at)
        node.stream.flush()
    decoder = Decoder(WHO, BUILTIN)
    before = [part for part in decoder.decode((first, second), 101.0) if isinstance(part, ColumnPart)]
    first.stream.feed(b"0, GPU-1, 3\n0, GPU-1, 4\n", 105.0)
    first.stream.flush()
    (part,) = [part for part in decoder.decode((first, second), 106.0) if isinstance(part, ColumnPart)]
    assert part.keys is before[0].keys
    assert part.values.tolist() == [4, 2, 1, 2]
    assert part.at.tolist() == [105, 100, 100, 100]
    assert before[0].values.tolist() == [1, 2, 1, 2]  # what was given out is never written again


def test_a_fault_is_one_event_until_it_ends() -> None:
    node, decoder = watch(), Decoder(WHO, BUILTIN)
    told = []
    for value in ("[Unknown Error]", "[Unknown Error]", "500", "ERR!"):
        node.stream.feed((START if not node.stream.started_at else b"") + f"0, GPU-1, {value}\n".encode(), 1.0)
        node.stream.flush()
        told.append(
            [each for part in decoder.decode((node,), 1.0) if isinstance(part, EventsPart) for each in part.events]
        )
    assert [len(events) for events in told] == [1, 0, 0, 1]
    assert told[0][0].path == "lab/n1/g0"


def test_history_of_the_kernel_log_is_no_news() -> None:
    node, decoder = watch(), Decoder(WHO, BUILTIN)
    node.stream.feed(START, 2_000_000_000.0)
    for at in ("1999990000.000000", "1999999999.000000"):
        node.stream.feed_kernel(f"{at} n1 kernel: NVRM: Xid (PCI:0000:9b:00): 79, off\n".encode(), 2_000_000_000.0)
    parts = [part for part in decoder.decode((node,), 2_000_000_000.0) if isinstance(part, EventsPart)]
    assert [event.at for part in parts for event in part.events] == [1999999999.0]


@pytest.mark.parametrize(("kernel", "codes"), [("journal", [0.0, 79.0]), ("unreadable", [])])
def test_the_last_xid_is_a_value_where_the_kernel_log_is_read(kernel: str, codes: list[float]) -> None:
    node, decoder = watch(), Decoder(WHO, BUILTIN)
    head = f"@@gigadeck start\n@@gigadeck kernel {kernel}\n@@gigadeck fields index,uuid,pci.bus_id,power.draw\n"
    row = b"0, GPU-1, 00000000:9B:00.0, 500\n"
    node.stream.feed(head.encode() + row, 2_000_000_000.0)
    told = []
    for line in (b"", b"1999999999.000000 n1 kernel: NVRM: Xid (PCI:0000:9b:00): 79, off\n"):
        node.stream.feed_kernel(line, 2_000_000_000.0)
        list(decoder.decode((node,), 2_000_000_000.0))
        node.stream.feed(row, 2_000_000_001.0)
        node.stream.flush()
        parts = list(decoder.decode((node,), 2_000_000_001.0))
        told += [part.values[0] for part in parts if isinstance(part, ColumnPart) and part.metric == "xid"]
    assert told == codes


def test_a_gpu_that_was_exchanged_is_another_key_in_the_same_slot() -> None:
    table = GpuTable()
    table.put("n1", SmiGpu(0, "GPU-1", "0000:01:00", "H100", {"power_w": 1.0}), 1.0)
    (before,) = table.parts()
    table.put("n1", SmiGpu(0, "GPU-2", "0000:01:00", "H100", {"power_w": 2.0}), 2.0)
    (after,) = table.parts()
    assert len(after.keys) == 1
    assert after.keys is not before.keys
    table.lose("n1", "0000:01:00", 3.0)
    (gone,) = table.parts()
    assert math.isnan(gone.values[0])
    assert gone.at[0] == 3.0


def test_tables_grow() -> None:
    table = GpuTable()
    for index in range(700):
        table.put(f"n{index}", SmiGpu(0, f"GPU-{index}", "", "", {"power_w": float(index)}), 1.0)
    (part,) = table.parts()
    assert np.array_equal(part.values, np.arange(700, dtype=np.float32))


def test_trouble_of_many_nodes_is_one_line() -> None:
    nodes = [watch(f"n{number:02d}") for number in range(1, 13)]
    for node in nodes[:10]:
        node.error = Unreachable(*WHO, f"cannot connect to {node.node}", "is it up?")
    nodes[10].error = Unauthorized(*WHO, "n11 refuses user sre", "check the key")
    lines = warnings_of(nodes, nodes[0]._link, 1.0)
    assert lines[0] == "10 nodes (n[01-10]), such as cannot connect to n01; is it up?"
    assert lines[1] == "n11 refuses user sre; check the key"
    assert common_error(nodes) is None
    nodes[11].error = nodes[10].error
    error = common_error(nodes)
    assert isinstance(error, Unreachable)
    assert str(error) == "lab/ssh: none of 12 nodes answers: cannot connect to n01; is it up?"
    assert notes_of(nodes, nodes[0]._link, 0.0)["nodes"] == "0 of 12 stream"


SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("xml", [False, True])
def test_the_script_runs_in_every_shell_and_ends_with_its_input(shell: str, xml: bool, tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        '#!/bin/sh\ncase "$*" in *help*) printf \'"index"\\n"uuid"\\n"clocks_throttle_reasons.active"\\n\';; '
        'esac\necho "$@"; [ "$1" = --help-query-gpu ] || exec sleep 1000\n'
    )
    smi.chmod(0o755)
    order = Order(wanted_fields(BUILTIN), 2.0, command=(str(smi),), kernel_log=False, xml=xml)
    command = [shell, "sh", "-s"] if shell == "busybox" else [shell, "-s"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(script_of(order))
        process.stdin.flush()
        lines = []
        while not lines or not lines[-1].startswith(("-q", "--query")):
            lines.append(process.stdout.readline().strip())
        if xml:
            assert lines[-2:] == ["@@gigadeck xml", "-q -x -l 2"]
        else:
            fields = "index,uuid,clocks_throttle_reasons.active"
            assert lines[-2:] == [
                f"@@gigadeck fields {fields}", f"--query-gpu={fields} --format=csv,noheader,nounits -l 2",
            ]  # fmt: skip
        process.stdin.close()
        process.wait(10)
        assert process.stdout.read() == ""  # nobody holds the line any more


@pytest.mark.parametrize(("period_s", "loop"), [(5.0, "-l 5"), (0.5, "-lms 500"), (2.5, "-lms 2500")])
def test_periods_below_and_between_seconds(period_s: float, loop: str) -> None:
    assert f" {loop} " in script_of(Order((("index",),), period_s))


def test_nothing_of_a_fleet_file_gets_out_of_its_quotes() -> None:
    text = script_of(Order((("index",),), 5.0, command=("docker", "exec", "x; rm -rf /", "nvidia-smi")))
    assert "docker exec 'x; rm -rf /' nvidia-smi --help-query-gpu" in text
