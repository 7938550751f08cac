"""Schemas of events: what breaks one, how two differ, and which one would fit what came in. Pure."""
