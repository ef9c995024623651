"""The contracts: what the parts of muxd that can be replaced implement, with the laws of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd.controlled import Controlled
from muxd.jobdata import DataTable, JobData
from muxd.launchoptions import LaunchOptions
from muxd.learned import Learned
from muxd.links import PageLink
from muxd.pagesource import Lease, PageSource
from muxd.pagewrapper import PageWrapper
from muxd.service import Service
from muxd.sink import Sink
from muxd.slotter import Slotter
from muxd.statistics import Statistics
from muxd.store import FOUND as FOUND
from muxd.store import Store

if TYPE_CHECKING:
    from muxd.store import Pace as Pace

__all__ = [
    "Controlled",
    "DataTable",
    "JobData",
    "LaunchOptions",
    "Learned",
    "Lease",
    "PageLink",
    "PageSource",
    "PageWrapper",
    "Service",
    "Sink",
    "Slotter",
    "Statistics",
    "Store",
]
