"""Reads what `nvidia-smi` prints: CSV queries, XML, and the ways in which the whole command fails."""
