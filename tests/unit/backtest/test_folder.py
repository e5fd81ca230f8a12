from __future__ import annotations

import builtins
import gzip
import random
import tracemalloc

import numpy as np
import pytest

from console.backtest.folder import look_into, read_telemetry
from console.backtest.records import read_alerts, read_events, read_truth
from console.backtest.replay import Replay
from console.backtest.spill import Spill
from console.core.layout import Layout
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ConfigError, ConfigErrors, ConsoleError, NoDataError
from console.model.levels import Level
from tests.support.backtests import HEADER, T0, folder


def read(path, layout=None):
    """Return the telemetry and its frames as (time, {(node, GPU): temperature}), gone through once."""
    found = look_into(path, BUILTIN)
    with Spill(found.names) as spill:
        telemetry = read_telemetry(found, spill, layout)
        frames = []
        for moment in Replay(telemetry, step_s=60):
            site = moment.frame.sites[0]
            topology = site.topology
            values = site.values("temp_c", moment.frame.at)
            names = [topology.path(Level.GPU, row) for row in range(topology.gpus)]
            frames.append((moment.frame.at, dict(zip(names, np.nan_to_num(values, nan=-1).tolist(), strict=True))))
    return telemetry, frames


def faults_of(path):
    with pytest.raises((ConfigErrors, ConfigError)) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "line", "column", "said"),
    [
        (f"{T0},lab,n1,0,fifty,300", 3, "temp_c", "'fifty' is not a number"),
        (f"{T0 * 1000},lab,n1,0,50,300", 3, "at", "milliseconds?"),
        ("yesterday,lab,n1,0,50,300", 3, "at", "'yesterday' is not a number"),
        (",lab,n1,0,50,300", 3, "at", "a number is needed"),
        (f"{T0},lab,,0,50,300", 3, "node", "the name of a node"),
        (f"{T0},,n1,0,50,300", 3, "site", "the name of a site"),
        (f"{T0},lab,n1,first,50,300", 3, "gpu", "'first' is no index"),
        (f"{T0},lab,n1,-3,50,300", 3, "gpu", "'-3' is no index"),
        (f"{T0},lab,n1,0,50", 3, "", "5 cells, the header has 6"),
    ],
)
def test_bad_cells_are_told_with_file_line_and_column(tmp_path, row, line, column, said):
    path = folder(tmp_path, f"{HEADER}\n{T0},lab,n1,0,50,300\n{row}\n")
    told = faults_of(path)
    assert f"telemetry.csv:{line}: {column}" in told
    assert said in told


def test_many_faults_are_told_at_once_and_in_bounded_number(tmp_path):
    rows = "".join(f"{T0 + i},lab,n1,0,x,300\n" for i in range(1000))
    told = faults_of(folder(tmp_path, f"{HEADER}\n{rows}"))
    assert "telemetry.csv:21: temp_c" in told
    assert "and 980 more faults" in told
    assert len(told.splitlines()) == 21


def test_missing_and_doubled_columns_are_told(tmp_path):
    assert "node: this column is missing" in faults_of(folder(tmp_path, f"at,site,gpu,temp_c\n{T0},lab,0,50\n"))
    assert "there twice" in faults_of(folder(tmp_path, f"{HEADER},temp_c\n{T0},lab,n1,0,50,300,50\n"))


def test_what_is_no_folder_no_text_or_no_telemetry_is_told(tmp_path):
    with pytest.raises(ConfigError, match="is no folder"):
        look_into(tmp_path / "nowhere", BUILTIN)
    with pytest.raises(NoDataError, match="no telemetry here"):
        look_into(tmp_path, BUILTIN)
    (tmp_path / "telemetry.csv").write_bytes(b"at,site,node,gpu,temp_c\n1750000000,lab,\xff\xfe,0,50\n")
    assert "is not UTF-8" in faults_of(tmp_path)
    (tmp_path / "telemetry.csv").write_text("at,site,node,gpu,colour\n1750000000,lab,n1,0,red\n")
    with pytest.raises(NoDataError, match="no column is the name of a metric"):
        look_into(tmp_path, BUILTIN)
    (tmp_path / "telemetry.csv").write_text(HEADER + "\n")
    with pytest.raises(NoDataError, match="no rows"):
        read(tmp_path)


def test_a_broken_archive_is_told(tmp_path):
    whole = gzip.compress(f"{HEADER}\n".encode() + b"".join(b"%d,lab,n1,0,50,300\n" % (T0 + i) for i in range(9000)))
    (tmp_path / "telemetry.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert "telemetry.csv.gz" in faults_of(tmp_path)
    assert "cannot be read on" in faults_of(tmp_path)


def test_missing_cells_in_every_spelling_read_as_missing_and_sentinels_are_counted(tmp_path):
    rows = "".join(
        f"{T0},lab,n{i},0,{word},300\n" for i, word in enumerate(["", "N/A", "[N/A]", "nan", "None", "9999"])
    )
    telemetry, frames = read(folder(tmp_path, f"{HEADER}\n{rows}{T0},lab,n9,0,51,300\n"))
    assert sorted(frames[0][1].values()) == [-1] * 6 + [51]
    assert telemetry.sentinels == 1


def test_unknown_columns_are_listed_with_their_file(tmp_path):
    path = folder(tmp_path, f"{HEADER},firmware,cdu_flow_lpm\n{T0},lab,n1,0,50,300,96.00,12\n")
    assert {name: file.rpartition("/")[2] for name, file in look_into(path, BUILTIN).ignored.items()} == {
        "firmware": "telemetry.csv",
        "cdu_flow_lpm": "telemetry.csv",
    }


def test_order_and_division_into_files_do_not_matter(tmp_path):
    chance = random.Random(3)
    rows = [
        f"{T0 + 60 * step + chance.randrange(-25, 25)},lab,n{node},{gpu},{40 + (step + gpu) % 30},300"
        for step in range(60)
        for node in range(3)
        for gpu in range(2)
    ]
    _, expected = read(folder(tmp_path / "one", "\n".join([HEADER, *rows])))
    chance.shuffle(rows)
    (tmp_path / "two").mkdir()
    for i in range(3):
        text = "\n".join([HEADER, *rows[i::3], *rows[i : i + 40]]) + "\n"
        (tmp_path / "two" / f"telemetry-{i}.csv.gz").write_bytes(gzip.compress(text.encode()))
    _, found = read(tmp_path / "two")
    assert found == expected
    assert len(found) >= 60


def test_an_hour_of_more_rows_than_fit_is_read_in_parts(tmp_path, monkeypatch):
    rows = "".join(f"{T0 + 10 * i},lab,n1,{gpu},{40 + i % 40},300\n" for i in range(100) for gpu in range(3))
    path = folder(tmp_path, f"{HEADER}\n{rows}")
    _, expected = read(path)
    monkeypatch.setattr("console.backtest.spill.MOST_ROWS", 40)
    _, found = read(path)
    assert found == expected
    # All of one time cannot be parted.
    rows = "".join(f"{T0},lab,n1,{gpu},50,300\n" for gpu in range(200))
    assert len(read(folder(tmp_path / "one", f"{HEADER}\n{rows}"))[1]) == 1


def test_irregular_times_and_gaps_hold_values_for_three_steps_and_no_longer(tmp_path):
    rows = f"{T0},lab,n1,0,50,300\n{T0 + 86400 * 30},lab,n1,0,60,300\n"
    _, frames = read(folder(tmp_path, f"{HEADER}\n{rows}"))
    values = [next(iter(each.values())) for _, each in frames]
    assert values == [50, 50, 50, 50, -1, 60]
    assert frames[-1][0] - frames[0][0] == 86400 * 30


def test_the_cadence_is_that_of_the_data(tmp_path):
    rows = "".join(f"{T0 + 5 * i + i % 2},lab,n{n},0,50,300\n" for n in range(3) for i in range(50))
    telemetry, _ = read(folder(tmp_path, f"{HEADER}\n{rows}"))
    assert telemetry.cadence_s == pytest.approx(5, abs=1)
    assert read(folder(tmp_path / "single"))[0].cadence_s == 60


def test_only_gpus_that_somebody_speaks_of_exist_and_names_tell_racks(tmp_path):
    rows = "".join(f"{T0},lab,r{rack}n{node},{gpu},50,300\n" for rack in (1, 2) for node in (1, 2) for gpu in (1, 3))
    telemetry, frames = read(folder(tmp_path, f"{HEADER}\n{rows}"), Layout(r"(?P<rack>r\d+)n\d+"))
    assert sorted(frames[0][1]) == [f"lab/-/r{r}/r{r}n{n}/g{g}" for r in (1, 2) for n in (1, 2) for g in (1, 3)]
    assert telemetry.rows.topologies[0].racks == ("r1", "r2")


def test_values_of_a_node_need_no_gpu(tmp_path):
    text = f"at,site,node,gpu,temp_c,inlet_c\n{T0},lab,n1,,,22\n{T0},lab,n1,0,50,\n{T0},lab,n2,1,51,23\n"
    found = look_into(folder(tmp_path, text), BUILTIN)
    with Spill(found.names) as spill:
        (moment,) = Replay(read_telemetry(found, spill))
    site = moment.frame.sites[0]
    assert site.values("inlet_c", moment.frame.at).tolist() == [22, 23]
    assert site.values("temp_c", moment.frame.at).tolist() == [50, 51]


def test_times_that_lie_centuries_apart_are_refused_and_the_disk_is_left_clean(tmp_path, monkeypatch):
    monkeypatch.setattr("console.backtest.spill.MOST_BUCKETS", 10)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = "".join(f"{T0 + i * 86400},lab,n1,0,50,300\n" for i in range(40))
    path = folder(tmp_path / "data", f"{HEADER}\n{rows}")
    with pytest.raises(ConsoleError, match="is `at` in epoch seconds"):
        read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_parquet_says_what_csv_says(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `record` is not installed")
    from pyarrow import parquet

    rows = [
        (T0 + 60 * i + n, "lab", f"n{n}", g, 40.0 + i % 9, None) for i in range(50) for n in range(2) for g in (0, 1)
    ]
    lines = [f"{at},{site},{node},{gpu},{temp}," for at, site, node, gpu, temp, _ in rows]
    _, expected = read(folder(tmp_path / "csv", "\n".join([HEADER, *lines])))
    columns = dict(zip(HEADER.split(","), zip(*rows, strict=True), strict=True))
    table = pyarrow.table({**columns, "power_w": pyarrow.array([None] * len(rows), pyarrow.float32())})
    (tmp_path / "arrow" / "telemetry").mkdir(parents=True)
    parquet.write_table(table, tmp_path / "arrow" / "telemetry" / "one.parquet")
    _, found = read(tmp_path / "arrow")
    assert found == expected
    (tmp_path / "arrow" / "telemetry" / "two.parquet").write_bytes(b"PAR1 not really")
    assert "two.parquet: is no Parquet file" in faults_of(tmp_path / "arrow")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "one.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'gigadeck\[record\]'"):
        look_into(tmp_path, BUILTIN)


def test_memory_does_not_grow_with_the_length_of_the_data(tmp_path):
    def peak(days: int) -> int:
        path = tmp_path / str(days)
        path.mkdir()
        with (path / "telemetry.csv").open("w") as file:
            file.write(HEADER + "\n")
            for step in range(days * 96):
                at = T0 + 900 * step
                file.writelines(f"{at},lab,n{node},{gpu},50,300\n" for node in range(25) for gpu in range(8))
        tracemalloc.start()
        found = look_into(path, BUILTIN)
        with Spill(found.names) as spill:
            frames = sum(1 for _ in Replay(read_telemetry(found, spill)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert frames == days * 96
        return most

    peak(1)
    assert peak(8) < 1.25 * peak(2)


def test_truth_takes_empty_cells_and_refuses_what_cannot_be(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text(
        "at,site,node,gpu,class,onset,precursor\n"
        f"{T0 + 50},lab,n2,3,hbm,{T0},yes\n{T0},lab,n1,,host,,\n{T0 + 99},lab,n1,0,link,,no\n"
    )
    first, second, third = read_truth(path)
    assert (first.gpu, first.onset, first.precursor) == (-1, None, None)
    assert (second.gpu, second.onset, second.precursor) == (3, T0, True)
    assert third.precursor is False
    path.write_text(f"at,site,node,gpu,class,onset\n{T0},lab,n1,0,,{T0 + 1}\n")
    with pytest.raises(ConfigErrors) as caught:
        read_truth(path)
    assert "truth.csv:2: class" in str(caught.value)
    assert "truth.csv:2: onset: the fault begins after it has come" in str(caught.value)


def test_events_and_alerts_are_checked(tmp_path):
    events, alerts = tmp_path / "events.csv", tmp_path / "alerts.csv"
    assert read_events(events) == ()
    events.write_text(f"at,site,node,gpu,xid\n{T0},lab,n1,0,48.5\n")
    with pytest.raises(ConfigErrors, match=r"events\.csv:2: xid"):
        read_events(events)
    alerts.write_text(f"at,site,node,gpu,class,probability_24h,until\n{T0},lab,n1,0,x,1.5,{T0 - 1}\n")
    with pytest.raises(ConfigErrors) as caught:
        read_alerts(alerts)
    assert "alerts.csv:2: probability_24h: 1.5 is no probability" in str(caught.value)
    assert "alerts.csv:2: until: the alert ends before it begins" in str(caught.value)
    alerts.write_text(f"at,site,node,gpu,class,probability_24h,until\n{T0},lab,n1,,x,,\n")
    (alert,) = read_alerts(alerts)
    assert (alert.gpu, alert.probability_24h, alert.until) == (-1, 1.0, T0)
