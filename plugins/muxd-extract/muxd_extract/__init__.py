"""Rows from web pages, on schedule, without code: a plugin for muxd."""

__version__ = "0.1.0.dev0"
