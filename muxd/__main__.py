"""``python -m muxd`` is ``muxd``."""

from __future__ import annotations

from muxd.cli import main

if __name__ == "__main__":
    main(prog_name="muxd")
