"""Content: what is shown to people, by kind, locale and channel; checked, approved and published."""
