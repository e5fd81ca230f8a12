"""One module a case: `run(quick=...)` returns figures."""
