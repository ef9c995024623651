"""What plugin authors and muxd's own tests test with."""

from muxd.testing.clock import VirtualClock as VirtualClock
from muxd.testing.store import MemoryStore as MemoryStore
