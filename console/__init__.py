"""gigadeck: a terminal operations console for fleets of AI gigafactories."""

__version__ = "0.1.0"
