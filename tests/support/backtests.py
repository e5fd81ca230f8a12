"""Folders of recorded incidents for tests."""

from __future__ import annotations

from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "data" / "backtest" / "lab"
T0 = 1_750_000_200
HEADER = "at,site,node,gpu,temp_c,power_w"


def folder(tmp_path: Path, telemetry: str = "", truth: str = "", events: str | None = None) -> Path:
    """Write the three files, with their headers, and return the folder."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "telemetry.csv").write_text(telemetry or f"{HEADER}\n{T0},lab,n1,0,50,300\n")
    (tmp_path / "truth.csv").write_text(f"at,site,node,gpu,class,onset,precursor\n{truth}")
    if events is not None:
        (tmp_path / "events.csv").write_text(f"at,site,node,gpu,xid\n{events}")
    return tmp_path
