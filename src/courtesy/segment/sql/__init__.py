"""Segments as SQL over the lake: who is in them, found in one pass over the events that matter.

`statement.compiled` makes one statement of a segment and of all those that it mentions. The events are scanned once
(`scan`); what matters of each is a column (`rows`); of these, numbers are made by person, or by person and value
(`features`); and conditions are phrases about those (`conditions`). Sequences (`sequences`) and groups (`groups`) are
relations of their own. Values are kept as JSON text (`json_text`), for its first character tells the type, and tests on
them are those of `courtesy.segment.values`. Windows are intervals that Python knows how to find in each time zone
(`bounds`); SQL compares numbers.
"""
