from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from console.model.columns import distinct


@pytest.mark.parametrize("values", [[], [3], [3, 1, 3, 2, 1], [[2, 1], [1, 2]]])
def test_distinct_values_are_those_of_unique(values):
    values = np.array(values, dtype=np.int32)
    assert distinct(values).tolist() == np.unique(values).tolist()
    assert distinct(values).dtype == np.int32


def test_status_loads_neither_textual_nor_what_it_does_not_need():
    code = (
        "import sys; from console.cli.entry import run; code = run(['status', '--fleet', 'demo:400']);"
        "bad = {'textual', 'numpy.ma', 'importlib.metadata', 'yaml', 'cattrs', 'httpx'} & set(sys.modules);"
        "sys.exit(code or ' '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
