"""The simulator: the daemon's core on an imagined machine, in virtual time, with faults.

What runs is what runs in the daemon: scheduler, channel, worker, runner, supervisor, retries, book
and ledger. Imagined are the machine (its clock, its sleep, its deaths), the browser and the bodies.
"""

from muxd.simulation.faults import FaultRates as FaultRates
from muxd.simulation.report import Report as Report
from muxd.simulation.rules import Broken as Broken
from muxd.simulation.simulator import Scenario as Scenario
from muxd.simulation.simulator import simulate as simulate
