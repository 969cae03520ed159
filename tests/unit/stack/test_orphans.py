"""Descendants that lost their parent are ours, are reaped, and end with us."""

from __future__ import annotations

import subprocess
import sys

# Each shell leaves a child behind and ends at once; one of those children does not listen to SIGTERM.
PROGRAM = """
import asyncio, subprocess
from stack import orphans
from stack.linux import become_subreaper

async def main():
    become_subreaper()
    for line in ("sleep 60", "(trap '' TERM; while :; do sleep 1; done)"):
        subprocess.run(["sh", "-c", line + " &"], stdout=subprocess.DEVNULL, check=True)
    await asyncio.sleep(0.3)
    print(len(orphans.reap(())), await orphans.end_all((), 0.5), len(orphans.reap(())))

asyncio.run(main())
"""


def test_orphans_are_found_asked_and_killed() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    found, killed, left = map(int, done.stdout.split())
    assert found == 2
    assert killed >= 1
    assert left == 0
