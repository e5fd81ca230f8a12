"""Reads GPU series as exporters print them: text, label spellings, and which row is which GPU."""
