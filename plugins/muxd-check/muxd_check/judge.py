"""Whether a flow has cost more than it may. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from muxd.sizes import format_size
from muxd_check.vitals import NAMES, TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from muxd_check.settings import Flow
    from muxd_check.vitals import Vitals
    from muxd_check.witness import Account, Witness

__all__ = ["over_budget", "shown"]

_WORDS = {
    "took": "all steps took {}",
    "console_errors": "errors in the console: {}",
    "failed_requests": "failed requests: {}",
    "requests": "requests: {}",
    "transfer": "{} came over the network",
}


def over_budget(
    flow: Flow,
    figures: Mapping[str, Any],
    witness: Witness,
    vitals: Vitals,
    tls_days: Mapping[str, float],
) -> list[str]:
    """All that is over the budget, in words: none of it if all is well.

    What could not be measured is not judged: a page that shows nothing large has no LCP.
    """
    budget = {k: v for k, v in attrs.asdict(flow.budget).items() if v is not None}
    found = []
    for name, limit in budget.items():
        value = figures.get(name)
        if value is None or value <= limit:
            continue
        text = _WORDS.get(name, f"{NAMES.get(name)} is {{}}").format(shown(name, value))
        if (worst := vitals.worst(name) if name in NAMES else None) is not None:
            text += f" on {worst[1]}"
        found.append(f"{text}, more than {shown(name, limit)}{''.join(_first(name, witness))}")
    for host, days in tls_days.items() if flow.tls_days else ():
        if days < 0:
            found.append(f"the certificate of {host} has expired, {-days:.1f} days ago")
        elif days < flow.tls_days:
            found.append(
                f"the certificate of {host} is good for {days:.1f} more days, "
                f"fewer than {flow.tls_days}"
            )
    return found


def shown(name: str, value: float) -> str:
    """A figure, for people: ``2.34 s``, ``180 ms``, ``0.08``, ``2 MB``."""
    if name in TIMES or name == "took":
        return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"
    if name == "transfer":
        return format_size(int(value))
    return f"{value:.3f}".rstrip("0").rstrip(".") if name == "cls" else f"{value:g}"


def _first(name: str, witness: Witness) -> Iterator[str]:
    accounts: dict[str, Account] = {
        "console_errors": witness.console,
        "failed_requests": witness.failed,
    }
    if name in accounts and accounts[name].first:
        yield f": first, {accounts[name].first[0]}"
