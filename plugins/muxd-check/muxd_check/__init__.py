"""Synthetic checks of web sites, with Core Web Vitals and a status page: a plugin for muxd."""

__version__ = "0.1.0.dev0"
__all__ = ["__version__"]
