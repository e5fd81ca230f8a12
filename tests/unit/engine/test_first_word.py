from __future__ import annotations

import pytest

from console.engine.reading_desk import ReadingDesk
from console.engine.record import SourceRecord
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from tests.support.clock import FakeClock
from tests.support.sources import ScriptedSource, reading_of


class Compute:
    def __init__(self):
        self.hastened = []

    def hasten(self, within_s=0.1):
        self.hastened.append(within_s)


def desk(first_word):
    clock = FakeClock()
    sites = [SiteSetup(name, sources=(SourceSetup("s", "site", "", ScriptedSource(reading_of([]))),)) for name in "abc"]
    config = SessionConfig("f", sites=tuple(sites), clock=clock, first_word=first_word)
    records = [SourceRecord(site.name, site.sources[0], clock, lambda event: None) for site in sites]
    made, compute = ReadingDesk(config, records, None, lambda: None), Compute()
    made.connect(compute)
    return made, records, compute


@pytest.mark.parametrize(("first_word", "expected"), [(True, [0.0, 0.1, 0.0]), (False, [0.0])])
def test_who_waits_for_all_gets_no_snapshot_before_the_last_source_spoke(first_word, expected):
    made, records, compute = desk(first_word)
    for record in records:
        made.decoded(record, reading_of([]), 1.0)
        made.decoded(record, reading_of([]), 2.0)
    assert compute.hastened == expected
