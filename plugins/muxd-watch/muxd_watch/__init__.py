"""Tells you when a web page changes: its text, its looks, a price, an element. A plugin for muxd."""

__version__ = "0.1.0.dev0"
