"""The engine in memory: the same contract in one process, for tests and simulation."""

from courtesy.engine_memory.disk import Disk
from courtesy.engine_memory.engine import MemoryEngine

__all__ = ["Disk", "MemoryEngine"]
