"""The engine on PostgreSQL, embedded or remote."""

from courtesy.engine_postgres.engine import PostgresEngine

__all__ = ["PostgresEngine"]
