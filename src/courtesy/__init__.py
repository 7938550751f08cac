"""Courtesy: treat each customer as a good host treats a guest, and count what it was worth."""

__version__ = "0.1.0"
