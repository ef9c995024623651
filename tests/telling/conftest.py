"""The helpers of these tests are beside them, and beside those of the upkeep."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "upkeep"):
    sys.path.insert(0, str(folder))
