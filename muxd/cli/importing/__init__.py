"""``muxd import``: what other programs know of jobs, as configuration."""
