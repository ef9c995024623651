"""The stampede: many jobs at once, a browser for each, beside muxd's one browser for all.

No timeout ends a job here: how many take longer than `TIMEOUT` is counted instead.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from _bench import muxd_daemon, open_site
from contestants import RIVALS, browser_path
from race import peak_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TIMEOUT", "stampede"]

TIMEOUT = 10.0
"""What a job has, from its release to its end, seconds."""
BOUND = 600.0
"""How long a stampede may take, seconds."""


def stampede(number: int) -> dict[str, Any]:
    """Have so many jobs released at once, by either; what became of them."""
    with open_site() as url:
        return {
            "number": number,
            "timeout": TIMEOUT,
            "browsers": _browsers(number, url),
            "muxd": _muxd(number, url),
        }


def _browsers(number: int, url: str) -> dict[str, float]:
    with subprocess.Popen(
        [sys.executable, RIVALS / "stampede.py", url, browser_path(), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            with peak_memory(process.pid) as most:
                told, _ = process.communicate("\n", timeout=BOUND)
        finally:
            process.kill()
    return _summary(json.loads(told), most[0])


def _muxd(number: int, url: str) -> dict[str, float]:
    names = ["bench", *(f"bench-{n}" for n in range(1, number))]
    with (
        muxd_daemon(url, names=names) as daemon,
        ThreadPoolExecutor(number) as threads,
        peak_memory(daemon.pid) as most,
    ):
        list(threads.map(daemon.ask, names))
        records = [daemon.heard() for _ in names]
    # The clock of all begins with the first: asking takes a moment.
    released = [datetime.fromisoformat(each["released_at"]).timestamp() for each in records]
    ends = [at + each["took"] for at, each in zip(released, records, strict=True)]
    return _summary([end - min(released) for end in ends], most[0])


def _summary(seconds: Sequence[float], memory: int) -> dict[str, float]:
    return {
        "seconds": max(seconds),
        "memory_mb": memory / 1e6,
        "late": sum(one > TIMEOUT for one in seconds),
    }
