"""Quality of what a source sends: its score, why it is no better, what drifts, and when it degrades. Pure."""
