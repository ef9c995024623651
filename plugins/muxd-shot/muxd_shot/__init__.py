"""Screenshots and PDFs of web pages on schedule, in one browser: a plugin for muxd."""

__version__ = "0.1.0.dev0"
__all__ = ["__version__"]
