"""Perch: a small social network for one account, served on loopback from memory."""

from muxd_demo.site.server import Site
from muxd_demo.site.world import World

__all__ = ["Site", "World"]
