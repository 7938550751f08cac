"""The file source: tables and recorded calls in files, read, mapped and rendered as calls of the tracking protocol."""
