"""How urgently a process asks for the processor, beside the others of a server."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

PATIENT_NICE = 10
"""Whoever is woken to answer goes first, and what is left over still comes to a tenth of a busy processor."""

WARY_NICE = 3
"""Where there is no way back, for a process that can't be urgent again must not be left behind for ever."""

_TASKS = Path("/proc/self/task")


def set_urgent(urgent: bool) -> None:
    """Let this process, all its threads, stand with the others (the state in which it began), or behind them."""
    nice = 0 if urgent else PATIENT_NICE if _may_return() else WARY_NICE
    for thread in _TASKS.iterdir() if _TASKS.is_dir() else ():
        # A thread may just have ended; without the privilege it stays as patient as it is.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)


def _may_return() -> bool:
    """Whether the system lets this process take back what it gave: setpriority(2), RLIMIT_NICE in getrlimit(2)."""
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= 20
