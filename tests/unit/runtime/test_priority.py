"""A process that stands behind the others, and comes back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from courtesy.runtime.priority import PATIENT_NICE

SHOWN = """
import os, threading
from pathlib import Path
from courtesy.runtime.priority import set_urgent
stop = threading.Event()
threading.Thread(target=stop.wait).start()
def nices():
    return sorted({os.getpriority(os.PRIO_PROCESS, int(each.name)) for each in Path("/proc/self/task").iterdir()})
for urgent in (False, True):
    set_urgent(urgent)
    print(nices())
stop.set()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become more urgent")
def test_all_threads_stand_back_and_return() -> None:
    """A pool's threads keep what they began with, so that each is told."""
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"[{PATIENT_NICE}]", "[0]"]
