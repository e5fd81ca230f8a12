"""Draws view values: pure functions from a view and how one looks at it to lines of segments."""
