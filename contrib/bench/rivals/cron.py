"""Worker: for each job a process of its own, with all that it needs (`cron_script.py`)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from orphans import adopt, reap


def main(url: str, browser_path: str) -> None:
    """Do the job for each line on stdin, and print how long it took."""
    adopt()
    script = Path(__file__).with_name("cron_script.py")
    for _ in sys.stdin:
        reap()
        begun = time.perf_counter()
        subprocess.run([sys.executable, script, url, browser_path], check=True)
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
