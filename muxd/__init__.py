"""muxd: cron for one browser."""
