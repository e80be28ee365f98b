"""Freed memory that waits for its next use."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, socket
from engine.devices.malloc import tune_allocator
if {keep}:
    tune_allocator(2**23, 2**20)

here, there = socket.socketpair()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(500):
    there.send(b"x")
    here.recv(2**18)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep: bool) -> int:
    """Page faults of 500 reads from a socket into asyncio's buffer, in a fresh process."""
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide themselves")
def test_reading_from_a_socket_takes_no_new_memory_each_time():
    assert faults(keep=False) >= 500
    assert faults(keep=True) < 100
