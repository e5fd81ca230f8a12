from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from console.model.builtin_metrics import BUILTIN
from console.sources.smi.cells import Trouble, read_number, read_recovery
from console.sources.smi.failures import read_failure
from console.sources.smi.rows import RowReader
from console.sources.smi.values import wanted_fields
from console.sources.smi.xml import SmiXmlError, read_xml
from console.sources.ssh.stream import NodeStream

PAYLOADS = Path(__file__).parents[4] / "shared" / "payloads" / "nvidia-smi"
HANDLE = "Unable to determine the device handle for "
UUID = "GPU-509665ad-b600-ac93-3616-d754b23d636d"


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("97.43 W", 97.43),
        (" 40960 MiB", 40960),
        ("0 %", 0),
        ("16x", 16),
        ("0x0000000000000004", 4),
        ("Yes", 1),
        ("No", 0),
        ("-7 C", -7),
        ("881.250 mV", 881.25),
    ],
)
def test_numbers_with_and_without_units(cell: str, number: float) -> None:
    assert read_number(cell) == (number, None)


@pytest.mark.parametrize(
    ("cell", "trouble"),
    [
        *(
            (cell, Trouble.ABSENT)
            for cell in (
                "[N/A]",
                "N/A",
                "",
                "[Not Supported]",
                "[Requested functionality has been deprecated]",
                "Not Active\n   ",
                "[Function Not Found]",
                "[Insufficient Permissions]",
                "None",
                "-",
            )
        ),
        *(
            (cell, Trouble.FAULT)
            for cell in (
                "[Unknown Error]",
                "Unknown Error",
                "[GPU is lost]",
                "[GPU requires reset]",
                "ERR!",
            )
        ),
        *((cell, Trouble.ODD) for cell in ("H100", "0xzz", "??")),
    ],
)
def test_what_is_absent_is_told_from_what_is_broken(cell: str, trouble: Trouble) -> None:
    number, found = read_number(cell)
    assert math.isnan(number)
    assert found is trouble


@pytest.mark.parametrize(
    ("text", "code"),
    [("None", 0), ("Reset", 1), ("GPU Reset", 1), ("Node Reboot", 2), ("Drain P2P", 3), ("Drain and Reset", 4)],
)
def test_recovery_actions_of_all_drivers(text: str, code: int) -> None:
    assert read_recovery(text) == (code, None)


def test_a_recovery_action_that_nobody_knows_is_not_healthy() -> None:
    number, trouble = read_recovery("Recover Something New")
    assert math.isnan(number)
    assert trouble is Trouble.ODD


def reader(*fields: str) -> RowReader:
    return RowReader(("index", "uuid", "name", *fields), BUILTIN)


def test_a_row_is_read_by_position_in_our_units() -> None:
    gpu = reader("power.draw", "memory.used", "clocks_event_reasons.active").read(
        f"3, {UUID}, NVIDIA H100 80GB HBM3, 631.95, 19818, 0x0000000000000004"
    )
    assert gpu is not None
    assert (gpu.index, gpu.uuid, gpu.model) == (3, UUID, "NVIDIA H100 80GB HBM3")
    assert gpu.values == {"power_w": 631.95, "mem_used_bytes": 19818 * 1048576, "clock_events": 4}


def test_faults_are_named_and_absent_values_are_missing() -> None:
    gpu = reader("power.draw", "temperature.gpu", "temperature.memory").read(
        f"0, {UUID}, x, [Unknown Error], ERR!, [N/A]"
    )
    assert gpu is not None
    assert gpu.faults == ("power_w", "temp_c")
    assert all(math.isnan(value) for value in gpu.values.values())


def test_a_value_out_of_range_is_no_value() -> None:
    gpu = reader("temperature.gpu").read(f"0, {UUID}, x, 4294967295")
    assert gpu is not None
    assert math.isnan(gpu.values["temp_c"])


def test_a_name_with_commas_is_one_cell() -> None:
    gpu = reader("temperature.gpu").read(f"0, {UUID}, NVIDIA, Inc. H100, 44")
    assert gpu is not None
    assert (gpu.model, gpu.values["temp_c"]) == ("NVIDIA, Inc. H100", 44)


@pytest.mark.parametrize(
    "line",
    ["Welcome to n1, 12 updates", "No devices were found", "1, 2, 3", "", ",,,", "index, uuid, name, temperature.gpu"],
)
def test_what_is_no_row(line: str) -> None:
    assert reader("temperature.gpu").read(line) is None


def test_identity_is_asked_for_first_and_a_name_of_old_drivers_after_the_new_one() -> None:
    fields = wanted_fields(BUILTIN)
    assert [group[0] for group in fields[:3]] == ["index", "uuid", "pci.bus_id"]
    assert ("clocks_event_reasons.active", "clocks_throttle_reasons.active") in fields


@pytest.mark.parametrize(
    ("text", "code", "words", "lost", "field"),
    [
        (HANDLE + "GPU 0000:02:00.0: GPU is\nlost.  Reboot", 15, "GPU is lost", "0000:02:00", ""),
        (HANDLE + "GPU0000:65:00.0: Unknown Error", 0, "Unknown Error", "0000:65:00", ""),
        ('Field "gpu_recovery_action" is not a valid field to query.', 2, "does not know", "", "gpu_recovery_action"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
            9,
            "no driver answers",
            "",
            "",
        ),
        ("Failed to initialize NVML: Driver/library version mismatch", 18, "updated under it", "", ""),
        ("No devices were found", 6, "finds no GPU", "", ""),
        ("sh: 1: nvidia-smi: not found", 127, "not installed", "", ""),
        ("", 15, "a GPU is lost", "", ""),
        ("boom", 77, "ended with 77: boom", "", ""),
    ],
)
def test_ways_in_which_all_of_it_fails(text: str, code: int, words: str, lost: str, field: str) -> None:
    failure = read_failure(text, code)
    assert failure is not None
    assert words in failure.message
    assert (failure.lost, failure.field) == (lost, field)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("==============NVSMI LOG==============\n\nTimestamp : now", "the text of `nvidia-smi -q`"),
        ("+-----+\n| NVIDIA-SMI 590.48.01   Driver Version: 590.48.01 |", "the table of a bare `nvidia-smi`"),
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)", "the list of `nvidia-smi -L`"),
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)\n\t Link 0: 26.562 GB/s", "`nvidia-smi nvlink -s`"),
        ("\x1b[4m\tGPU0\tCPU Affinity\tNUMA Affinity\x1b[0m", "`nvidia-smi topo -m`"),
    ],
)
def test_output_that_nobody_asked_for_is_named(lines: str, what: str) -> None:
    stream = NodeStream()
    stream.feed(f"@@gigadeck start\n@@gigadeck fields index,uuid,name\n{lines}\n".encode(), 1.0)
    stream.feed(b"a word more\n" * 50, 1.0)  # the sign is not among the last lines
    failure = stream.failure()
    assert failure is not None
    assert f"it prints {what}, not the rows" in failure.message
    stream.feed(f"0, {UUID}, H100\n".encode(), 2.0)
    stream.flush()
    assert stream.failure() is None


def test_output_that_tells_of_no_failure() -> None:
    assert read_failure("0, GPU-1, 44") is None


XML = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log><attached_gpus>{attached}</attached_gpus>
<gpu id="00000000:9B:00.0"><uuid>GPU-1</uuid><product_name>H100</product_name>
<mig_mode><current_mig>Enabled</current_mig></mig_mode>
<utilization><gpu_util>N/A</gpu_util></utilization>
<{power}><power_draw>66.92 W</power_draw></{power}>
<clocks_{reasons}_reasons><clocks_{reasons}_reason_sw_power_cap>Active
   </clocks_{reasons}_reason_sw_power_cap>
<clocks_{reasons}_reason_gpu_idle>Not Active</clocks_{reasons}_reason_gpu_idle>
</clocks_{reasons}_reasons>
<ecc_errors><volatile><dram_uncorrectable>1</dram_uncorrectable>
<sram_uncorrectable_parity>2</sram_uncorrectable_parity>
<sram_uncorrectable_secded>3</sram_uncorrectable_secded></volatile></ecc_errors>
<remapped_rows>N/A</remapped_rows></gpu></nvidia_smi_log>"""


@pytest.mark.parametrize(("power", "reasons"), [("power_readings", "throttle"), ("gpu_power_readings", "event")])
def test_xml_of_old_and_new_layouts(power: str, reasons: str) -> None:
    (gpu,) = read_xml(f"Message of the day\n{XML.format(attached=1, power=power, reasons=reasons)}", BUILTIN)
    assert (gpu.index, gpu.pci, gpu.mig) == (0, "0000:9b:00", True)
    assert (gpu.values["power_w"], gpu.values["clock_events"], gpu.values["ecc_dbe"]) == (66.92, 4, 6)
    assert math.isnan(gpu.values["util_pct"])
    assert math.isnan(gpu.values["remapped_rows"])


def test_an_index_is_not_guessed_where_gpus_were_left_out() -> None:
    (gpu,) = read_xml(XML.format(attached=4, power="power_readings", reasons="event"), BUILTIN)
    assert gpu.index == -1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        XML[: len(XML) // 2],
        '<!DOCTYPE nvidia_smi_log [<!ENTITY a "b">]><nvidia_smi_log>&a;</nvidia_smi_log>',
    ],
)
def test_documents_that_are_refused(text: str) -> None:
    with pytest.raises(SmiXmlError):
        read_xml(text, BUILTIN)


def payloads(pattern: str) -> list[Path]:
    return sorted(PAYLOADS.glob(pattern)) or [Path("absent")]


@pytest.mark.payload
@pytest.mark.parametrize("path", payloads("*.xml"), ids=lambda path: path.name)
def test_captured_xml(path: Path) -> None:
    if not path.exists():
        pytest.skip("the captured payloads are not beside the project")
    (gpu,) = read_xml(path.read_text(), BUILTIN)
    assert gpu.uuid.startswith("GPU-")
    assert gpu.pci
    assert gpu.model
    assert not math.isnan(gpu.values["mem_used_bytes"])
    assert gpu.faults == ()


@pytest.mark.payload
@pytest.mark.parametrize("path", payloads("cap*/*.query-gpu.csv"), ids=lambda path: "/".join(path.parts[-2:]))
def test_captured_csv(path: Path) -> None:
    if not path.exists():
        pytest.skip("the captured payloads are not beside the project")
    header, *rows = path.read_text().splitlines()
    fields = [name.partition(" [")[0] for name in next(csv.reader([header], skipinitialspace=True))]
    gpu = RowReader(fields, BUILTIN).read(rows[0])
    assert gpu is not None
    assert gpu.uuid.startswith("GPU-")
    assert not math.isnan(gpu.values["temp_c"])
    assert not math.isnan(gpu.values["power_w"])
    assert gpu.mig == ("mig" in str(path))
    assert math.isnan(gpu.values["util_pct"]) == gpu.mig


# Of every driver the kit has: what nvidia-smi prints when it is asked for something else.
OTHERS = ("*.txt", "cap*/*.txt", "cap*/*compute-apps.csv", "cap*/*retired-pages.csv")


def other_payloads() -> list[Path]:
    found = sorted(path for pattern in OTHERS for path in PAYLOADS.glob(pattern))
    return found or [Path("absent")]


@pytest.mark.payload
@pytest.mark.parametrize("path", other_payloads(), ids=lambda path: "/".join(path.parts[-2:]))
def test_what_was_not_asked_for_is_no_gpu_and_is_said(path: Path) -> None:
    if not path.exists():
        pytest.skip("the captured payloads are not beside the project")
    fields = [group[0] for group in wanted_fields(BUILTIN)]
    stream = NodeStream()
    stream.feed(f"@@gigadeck start\n@@gigadeck fields {','.join(fields)}\n".encode(), 1.0)
    stream.feed(path.read_bytes(), 2.0)
    stream.feed(b"\n@@gigadeck exit 0\n", 3.0)
    stream.flush()
    assert not stream.rows
    assert stream.said
    assert not stream.lost
    with pytest.raises(SmiXmlError, match="nvidia_smi_log"):
        read_xml(path.read_text(), BUILTIN)


@pytest.mark.payload
def test_every_captured_file_of_nvidia_smi_is_read_or_refused_here() -> None:
    if not PAYLOADS.exists():
        pytest.skip("the captured payloads are not beside the project")
    patterns = (*OTHERS, "*.xml", "cap*/*.query-gpu.csv")
    covered = {path for pattern in patterns for path in PAYLOADS.glob(pattern)}
    assert {path for path in PAYLOADS.rglob("*") if path.is_file()} - covered == {PAYLOADS / "INDEX.tsv"}


@pytest.mark.parametrize("driver", ["470.256.02", "525.125.06", "535.183.01", "550.90.07", "570.124.06", "590.48.01"])
@pytest.mark.parametrize(
    ("cell", "trouble"),
    [("[N/A]", False), ("N/A", False), ("[Not Supported]", False), ("", False), ("[Function Not Found]", False),
     ("[Requested functionality has been deprecated]", False), ("[Insufficient Permissions]", False),
     ("[Unknown Error]", True), ("ERR!", True), ("[GPU is lost]", True), ("[GPU requires reset]", True)],
)  # fmt: skip
def test_a_cell_without_a_value_in_the_rows_of_every_driver(driver: str, cell: str, trouble: bool) -> None:
    fields = ("index", "uuid", "driver_version", "temperature.gpu", "power.draw")
    gpu = RowReader(fields, BUILTIN).read(f"3, GPU-1, {driver}, {cell}, 66.92")
    assert gpu is not None
    assert math.isnan(gpu.values["temp_c"])
    assert gpu.values["power_w"] == 66.92
    assert bool(gpu.faults) == trouble
