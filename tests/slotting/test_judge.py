"""An independent judge of timetables, and our own simulator beside it.

The judge's rules, written down once more and in another way: one server, one run at a time, the most
important waiting run first, of equals the one released first; a release that finds the run before of
its own job waiting or under way is missed. It looks at one hyperperiod, at most a week, after as
long as that, at most a day, for things to settle.
"""

from __future__ import annotations

from collections import Counter
from math import exp, inf, lcm, log, sqrt
from random import Random

import attrs
import pytest
from sets import demand, planted, statement

from muxd.slotting import certify, solve
from muxd.slotting.baselines import BASELINES
from muxd.slotting.simulate import simulate
from muxd.slotting.slot import Slot

DAY, WEEK = 86_400, 7 * 86_400


class Judge:
    """The server, from one moment that matters to the next."""

    def __init__(self, demands, phases, noise=0.0, seed=0):
        self.demands, self.phases, self.noise = demands, phases, noise
        self.random = Random(seed)
        whole = lcm(*(d.interval for d in demands))
        self.settled = min(whole, DAY)
        self.closing = self.settled + min(whole, WEEK)
        self.waiting, self.running, self.free_at = [], None, 0.0
        self.waits, self.missed, self.releases = [], 0, Counter()

    def duration(self, job):
        if not self.noise:
            return job.duration
        sigma = sqrt(log(1 + self.noise**2))
        return job.duration * exp(self.random.gauss(-sigma * sigma / 2, sigma))

    def release(self, instant, number):
        self.releases[instant] += 1
        if number == self.running or any(number == other for _, _, other in self.waiting):
            self.missed += instant >= self.settled
        else:
            self.waiting.append((-self.demands[number].priority, instant, number))

    def start(self, now):
        _, released, self.running = chosen = min(self.waiting)
        self.waiting.remove(chosen)
        self.free_at = now + self.duration(self.demands[self.running])
        if released >= self.settled:
            self.waits.append(now - released)

    def judge(self):
        due = [self.phases[d.name] % d.interval for d in self.demands]
        while True:
            next_release = min(due)
            if next_release >= self.closing:
                next_release = inf
            if self.running is None and next_release == inf:
                return self
            # An end comes before a release of the same moment.
            if self.running is not None and self.free_at <= next_release:
                now, self.running = self.free_at, None
            else:
                now = next_release
            for number, job in enumerate(self.demands):
                while due[number] <= now and due[number] < self.closing:
                    self.release(due[number], number)
                    due[number] += job.interval
            if self.running is None and self.waiting:
                self.start(now)

    def verdict(self):
        waits = sorted(self.waits)
        count = len(waits)
        return {
            "runs": count,
            "waited": sum(wait > 1e-9 for wait in waits) / max(1, count),
            "mean": sum(waits) / max(1, count),
            "p95": waits[min(count - 1, int(0.95 * count))] if waits else 0,
            "worst": max(waits, default=0),
            "missed": self.missed,
            "peak": max(self.releases.values()),
        }


def agree(demands, phases, noise=0.0, seed=0):
    ours = attrs.asdict(simulate(demands, phases, noise=noise, seed=seed))
    assert ours == pytest.approx(Judge(demands, phases, noise, seed).judge().verdict())


def random_jobs(seed):
    """Up to eight jobs that ask for a third of the time to rather more than all of it."""
    random = Random(seed)
    load = random.uniform(0.3, 1.3)
    count = random.randint(1, 8)
    demands = []
    for number in range(count):
        interval = random.choice((60, 90, 120, 240, 360, 700))
        duration = max(1, round(interval * load / count * random.uniform(0.5, 1.5)))
        demands.append(demand(f"j{number}", interval, duration, priority=random.randint(-2, 2)))
    return demands, {d.name: random.randrange(d.interval) for d in demands}


@pytest.mark.parametrize("seed", range(25))
def test_the_judge_agrees_with_our_simulator(seed):
    """Waits, their shares, missed releases and peaks are the judge's, on sets of every load."""
    agree(*random_jobs(seed))


@pytest.mark.parametrize("seed", range(10))
def test_they_agree_on_uneven_durations(seed):
    """With the same luck, in the same order, they come to the same numbers."""
    agree(*random_jobs(seed), noise=0.5, seed=seed)


@pytest.mark.parametrize("way", BASELINES)
def test_they_agree_on_other_ways(way):
    """What `muxd plan --compare` says of other schedulers is what the judge says."""
    demands = [d for d in statement() if d.name != "digest"]
    agree(demands, BASELINES[way](demands))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_certified_never_waits(seed):
    """The judge finds no wait, no missed run and no two starts at once in a solved timetable."""
    demands = planted(seed, count=8)
    phases = solve(demands, budget=60_000).phases
    verdict = Judge(demands, phases).judge().verdict()
    assert (verdict["waited"], verdict["missed"], verdict["peak"]) == (0, 0, 1)
    agree(demands, phases)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_not_certified_waits_somewhere(seed):
    """A run waits or is missed exactly where the certificate says that two slots overlap."""
    demands, phases = random_jobs(seed)
    certificate = certify([Slot.of(d, phases[d.name]) for d in demands])
    verdict = Judge(demands, phases).judge().verdict()
    assert certificate.valid == (verdict["waited"] == 0 and verdict["missed"] == 0)
