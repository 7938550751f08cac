"""Segments: people for whom an expression holds now."""
