"""Where the guard's process begins: run as a file, with an interpreter that imports nothing else.

``python -I -S muxd/guard/__main__.py PLAN``, PLAN being a `muxd.guard.guard.Plan` as JSON.
"""

from __future__ import annotations

import os
import signal
import sys
import types


def _main() -> int:
    # `import muxd` would load the words of the public API and the libraries these need. Here
    # `muxd` is a place to find modules in, and nothing else.
    package = types.ModuleType("muxd")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["muxd"] = package

    from muxd.guard.guard import FORWARDED, Guard, Plan

    guard = Guard(Plan.from_json(sys.argv[1]))
    try:
        return guard.run()
    finally:
        guard.log.finish()
        # Python gives up its handlers as it ends: one more call to stop must not change the exit code.
        for number in FORWARDED:
            signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(_main())
