"""Values, view values and ports that every other floor speaks in; standard library and NumPy only."""
