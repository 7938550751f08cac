"""Errors, time and identifiers that every other package stands on. No I/O."""
