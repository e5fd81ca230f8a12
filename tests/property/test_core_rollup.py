import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.inventory import build_topology
from console.core.rollup import by_domain, roll_up
from console.model.builtin_metrics import BUILTIN
from console.model.levels import SITE_LEVELS, Level
from console.model.metrics import RollUp
from tests.support.fleets import NOW, column, gpu_keys, merger, node, tell

sizes = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 9), st.sampled_from(["", "c1", "c2"])),
    min_size=1,
    max_size=40,
)


def site_of(layout):
    specs = []
    for i, (hall, rack, gpus, cdu) in enumerate(layout):
        domains = {"cdu": (cdu, "c3")} if cdu else {}
        specs.append(node(f"n{i}", f"h{hall}/r{rack}", gpus, domains=domains))
    return build_topology("muc1", specs, declared=True)


def values_for(topology, seed, share):
    random = np.random.default_rng(seed)
    values = random.uniform(20, 90, topology.gpus).astype(np.float32)
    values[random.random(topology.gpus) < share] = np.nan
    return values


def naive(values, rows):
    inside = [float(values[row]) for row in rows if not math.isnan(values[row])]
    if not inside:
        return 0, math.nan, math.nan
    return len(inside), math.fsum(inside), max(inside)


def same(found, wanted):
    return (math.isnan(found) and math.isnan(wanted)) or math.isclose(found, wanted, rel_tol=2e-6)


@settings(deadline=None, max_examples=60)
@given(sizes, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.9, 1.0]))
def test_roll_ups_equal_a_naive_computation(layout, seed, share):
    topology = site_of(layout)
    values = values_for(topology, seed, share)
    found = roll_up(topology, BUILTIN["temp_c"], values)
    for level in SITE_LEVELS[:-1]:
        for row in range(topology.count(level)):
            span = topology.span(level, row, Level.GPU)
            count, total, highest = naive(values, range(span.start, span.stop))
            assert found.counts[level][row] == count
            assert same(float(found.sums[level][row]), total)
            assert same(float(found.maxima[level][row]), highest)
            mean = total / count if count else math.nan
            assert same(float(found.get(level, RollUp.MEAN)[row]), mean)


@settings(deadline=None, max_examples=40)
@given(sizes, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from(["temp_c_max", "temp_c_avg"]))
def test_domain_values_equal_a_naive_computation(layout, seed, share, field):
    topology = site_of(layout)
    values = values_for(topology, seed, share)
    if not topology.gpus:
        return
    frame = tell(merger(topology), column("temp_c", gpu_keys(topology, with_uuid=False), values)).frame(NOW)
    found = by_domain(frame, "cdu", field, BUILTIN, NOW)
    if "cdu" not in topology.domains:
        assert found is None
        return
    domain = topology.domains["cdu"]
    for i in range(len(domain.names)):
        spans = [
            topology.span(Level.NODE, int(n), Level.GPU)
            for n in domain.members[domain.starts[i] : domain.starts[i + 1]]
        ]
        count, total, highest = naive(values, [row for span in spans for row in range(span.start, span.stop)])
        assert found.counts[i] == count
        wanted = highest if field == "temp_c_max" else total / count if count else math.nan
        assert same(float(found.values[i]), wanted)
