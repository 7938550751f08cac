"""Backups in which each person's rows are sealed by a key of theirs that lies elsewhere, and restoring them."""
