"""``muxd doctor``: what it looks at, each by a small function, and what it measures."""
