"""What plugin authors and muxd's own tests test with."""

from muxd.testing.clock import VirtualClock as VirtualClock
from muxd.testing.pages import FakePage as FakePage
from muxd.testing.pages import FakePages as FakePages
from muxd.testing.store import MemoryStore as MemoryStore
