"""Jobs and durations in, a timetable without collisions out: pure and deterministic.

``solve`` is the whole interface to the solver; ``Timetable`` answers what a scheduler asks.
"""

from .demand import Demand as Demand
from .rule import Certificate as Certificate
from .rule import certify as certify
from .rule import pair_gap as pair_gap
from .slot import Slot as Slot
from .solver import solve as solve
from .timetable import Timetable as Timetable
