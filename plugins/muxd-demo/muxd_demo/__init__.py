"""Sixteen browser jobs against a small web site of their own: a demonstration for muxd."""

__version__ = "0.1.0.dev0"
__all__ = ["__version__"]
