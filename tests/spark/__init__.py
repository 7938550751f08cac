"""The SQL of segments, run by Spark."""
