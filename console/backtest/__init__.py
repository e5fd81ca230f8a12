"""Backtests: what alerts would have come of telemetry that somebody kept, and how good they would have been."""
