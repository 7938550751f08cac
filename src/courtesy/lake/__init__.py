"""The lake: all accepted events as an Apache Iceberg table, for heavy questions and for what the log has dropped."""

from courtesy.lake.lake import Lake, make_lake
from courtesy.lake.place import place_of

__all__ = ["Lake", "make_lake", "place_of"]
