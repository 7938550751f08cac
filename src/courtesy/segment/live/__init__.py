"""Segments that are true at every instant: what the fold keeps for them, when it looks again, and what it finds."""
