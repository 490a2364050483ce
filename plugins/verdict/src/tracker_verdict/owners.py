"""Which account of the readings each account of the session logs is: logs have other names for accounts."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from tracker.api import MeterReading, UsageEvent
from tracker_verdict.accounts import NO_ACCOUNT

# Clients write a reading after each request, sometimes in whole seconds.
SOON = 60.0


def owners(
    events: Sequence[UsageEvent], totals: Sequence[UsageEvent], readings: Sequence[MeterReading]
) -> Mapping[str, str]:
    """For each account of a log, the account whose readings follow most of its requests. readings: by their time.

    Empty if a request or a day's total names no account, if readings name more accounts than the logs do, or if one
    of them cannot be matched, such as with panes alone.
    """
    runs, votes = dict[str, list[MeterReading]](), dict[str, Counter[str]]()
    for one in readings:
        runs.setdefault(one.account or NO_ACCOUNT, []).append(one)
    for name, every in runs.items():
        # of equal ones the first and the last are kept
        equal = (list(own) for _, own in groupby(every, key=lambda one: one.used))
        starts, ends = zip(*((own[0].at.timestamp(), own[-1].until.timestamp()) for own in equal), strict=True)
        for event in events:
            place = bisect_left(ends, event.at - 1)
            is_behind = place < len(ends) and starts[place] <= event.at + SOON
            votes.setdefault(event.account, Counter())[name] += is_behind
    counts, found = Counter(event.account for event in events), dict[str, str]()
    for account, own_votes in votes.items():
        (name, most), *others = own_votes.most_common(2)
        if 2 * most > counts[account] and all(count < most for _, count in others):
            found[account] = name
    named = {*counts, *(one.account for one in totals)}
    is_told = "" not in named and len(named) >= len(runs) and len(counts) == len({*found.values()})
    return found if is_told else {}
