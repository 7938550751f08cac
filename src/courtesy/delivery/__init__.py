"""Delivery, as far as it is pure: whether, when and over which channel a message leaves, and what became of it."""
