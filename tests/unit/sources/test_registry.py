from __future__ import annotations

import pytest

from console.config.values import SiteConfig, SourceConfig
from console.model.builtin_metrics import BUILTIN
from console.model.errors import SourceError
from console.model.ports import Source
from console.sources.registry import open_source


def test_a_kind_leads_to_its_source() -> None:
    opened = open_source(SiteConfig("muc1"), SourceConfig("prometheus", "p", "http://x.example"), BUILTIN)
    assert isinstance(opened, Source)


def test_an_unknown_kind_names_those_that_are_there() -> None:
    with pytest.raises(SourceError, match=r"muc1/p: .*'carrier pigeon'.*prometheus"):
        open_source(SiteConfig("muc1"), SourceConfig("carrier pigeon", "p"), BUILTIN)
