from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import SiteConfig, SourceConfig, Timeouts
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ConfigErrors
from console.model.reading import ColumnPart
from console.sources.registry import open_source
from tests.support.bad_http import answer, bad_server

if TYPE_CHECKING:
    from pathlib import Path


def page(node: str) -> Any:
    uuid = f"GPU-00000000-0000-0000-0000-0000000000{node[-2:]}"
    text = f'DCGM_FI_DEV_GPU_TEMP{{gpu="0",UUID="{uuid}",Hostname="{node}"}} 50\n'
    return answer(text, content_type="text/plain")


def write(path: Path, text: str) -> None:
    """Write as editors and configuration management do: a new file in its place."""
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)


def opened(path: Path) -> Any:
    config = SourceConfig(
        "dcgm", "src", options={"targets_file": path.name}, base_dir=str(path.parent), timeouts=Timeouts(1, 1, 3)
    )
    return open_source(SiteConfig("lab"), config, BUILTIN)


async def nodes(source: Any) -> tuple[set[str], tuple[str, ...]]:
    reading = await source.read()
    found: set[str] = set()
    for part in reading.decode():
        if isinstance(part, ColumnPart):
            found |= set(part.keys.nodes)  # type: ignore[union-attr]
    return found, reading.warnings


async def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "osl1.targets"
    async with bad_server(page("n01")) as one, bad_server(page("n02")) as two:
        write(path, f"{one.url}\n")
        source = opened(path)
        assert await nodes(source) == ({"n01"}, ())
        write(path, f"# both now\n{one.url}\n{two.url}\n")
        assert (await nodes(source))[0] == {"n01", "n02"}
        write(path, json.dumps([{"targets": [two.url.removeprefix("http://")]}]))
        assert (await nodes(source))[0] == {"n02"}
        await source.aclose()


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "there are none"), ("n[1-", "n[1-"), ("ftp://x?y", "not a host and port"), (None, "No such")],
)
async def test_a_file_that_went_bad_changes_nothing_and_is_said(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "osl1.targets"
    async with bad_server(page("n01")) as one:
        write(path, f"{one.url}\n")
        source = opened(path)
        assert await nodes(source) == ({"n01"}, ())
        path.unlink() if text is None else write(path, text)
        for _ in range(2):
            found, warnings = await nodes(source)
            assert found == {"n01"}
            assert words in warnings[0]
            assert "targets_file" in warnings[0]
            assert "\n" not in warnings[0]
        write(path, f"{one.url}\n")
        assert await nodes(source) == ({"n01"}, ())
        await source.aclose()


async def test_the_same_targets_in_another_file_keep_the_connections(tmp_path: Path) -> None:
    path = tmp_path / "osl1.targets"
    async with bad_server(page("n01")) as one:
        write(path, f"{one.url}\n")
        source = opened(path)
        before = source._source
        write(path, f"# nothing new\n{one.url}\n")
        await nodes(source)
        assert source._source is before
        await source.aclose()


def test_a_file_that_is_not_there_at_the_start_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="targets_file"):
        opened(tmp_path / "none")
