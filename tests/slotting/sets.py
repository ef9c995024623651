"""Sets of jobs for tests: planted ones that fit, random ones, and an oracle for small ones."""

from __future__ import annotations

from math import gcd
from random import Random

from hypothesis import strategies as st

from muxd.slotting import Demand

PERIODS = (300, 600, 900, 1200, 1800, 2700, 3600, 7200)


def demand(name="a", interval=600, duration=20, **fields):
    return Demand(name=name, interval=interval, duration=duration, **fields)


def statement():
    """The sixteen jobs of a real deployment, with its preferred phases."""
    rows = (
        ("posting_queue", 300, 20, None), ("metrics", 600, 45, 180), ("analytics", 1800, 90, 420),
        ("velocity", 1800, 60, 1020), ("sync", 1800, 60, 1620), ("enhanced", 1800, 75, None),
        ("plan", 3600, 120, 0), ("reply", 3600, 120, 900), ("learn", 3600, 90, 1800),
        ("data", 3600, 150, 2700), ("news", 3600, 120, None), ("attribution", 7200, 100, 3000),
        ("outcomes", 7200, 100, 3300), ("inbox", 900, 30, None), ("trends", 7200, 120, None),
        ("digest", 86400, 180, None),
    )  # fmt: skip
    return [demand(n, t, d, preferred_phase=p) for n, t, d, p in rows]


def planted(seed, count=12, periods=PERIODS, fill=0.8):
    """A set that fits, because its jobs were cut out of free time one by one."""
    random = Random(seed)
    placed = []
    while len(placed) < count:
        interval = random.choice(periods)
        duration = random.randint(5, 60)
        phase = random.randrange(interval)
        load = sum(d / t for t, _, d in placed) + duration / interval
        if load <= fill and all(
            duration <= (p - phase) % (g := gcd(t, interval)) <= g - d for t, p, d in placed
        ):
            placed.append((interval, phase, duration))
        elif random.random() < 0.01:
            break
    return [demand(f"j{i}", t, d) for i, (t, _, d) in enumerate(placed)]


@st.composite
def any_set(draw, most=14):
    """Any jobs at all: pins, wishes, odd intervals, too much of everything."""
    count = draw(st.integers(1, most))
    odd = st.integers(1, 5000)
    found = []
    for i in range(count):
        interval = draw(st.one_of(st.sampled_from(PERIODS), odd))
        wish = draw(st.one_of(st.none(), st.integers(0, 10_000)))
        found.append(
            demand(
                f"j{i}",
                interval,
                draw(st.integers(1, 90)),
                priority=draw(st.integers(-5, 100)),
                preferred_phase=wish,
                pinned=wish is not None and draw(st.integers(0, 5)) == 0,
            )
        )
    return found


def clash(a, phase_a, b, phase_b, gap=0):
    """Whether two jobs come nearer than ``gap``, by the definition: every pair of their runs."""
    if a.interval == b.interval or (a.interval * b.interval) // gcd(a.interval, b.interval) > 5000:
        g = gcd(a.interval, b.interval)
        return not a.duration + gap <= (phase_b - phase_a) % g <= g - b.duration - gap
    whole = a.interval * b.interval // gcd(a.interval, b.interval)
    for start_a in range(phase_a, phase_a + whole, a.interval):
        for start_b in range(phase_b - b.interval, phase_b + 2 * whole, b.interval):
            if start_a < start_b + b.duration + gap and start_b < start_a + a.duration + gap:
                return True
    return False


def oracle_fits(demands, gap=0):
    """Whether any phases at all keep the jobs ``gap`` apart: every possibility is tried."""
    if any(d.duration + gap > d.interval for d in demands):
        return False
    order = sorted(demands, key=lambda d: (d.interval, -d.duration))
    tables = {}

    def free(a, x, b, y):
        key = (a.interval, a.duration, b.interval, b.duration)
        g = gcd(a.interval, b.interval)
        row = tables.get(key)
        if row is None:
            row = tables[key] = [
                a.duration + gap <= delta <= g - b.duration - gap for delta in range(g)
            ]
        return row[(y - x) % g]

    domains = [
        list(range(d.interval)) if d.wish is None or not d.pinned else [d.wish] for d in order
    ]
    if not any(d.pinned for d in order):
        domains[0] = [0]  # all can be turned together

    def search(k, domains):
        if k == len(order):
            return True
        for phase in domains[k]:
            narrowed = list(domains)
            for j in range(k + 1, len(order)):
                narrowed[j] = [y for y in domains[j] if free(order[k], phase, order[j], y)]
                if not narrowed[j]:
                    break
            else:
                if search(k + 1, narrowed):
                    return True
        return False

    return search(0, domains)


def oracle_gap(demands):
    """The widest gap that any phases leave; -1 if none avoid all collisions."""
    gap = -1
    while oracle_fits(demands, gap + 1):
        gap += 1
    return gap
