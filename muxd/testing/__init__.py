"""What plugin authors and muxd's own tests test with."""

from muxd.testing.clock import VirtualClock as VirtualClock
