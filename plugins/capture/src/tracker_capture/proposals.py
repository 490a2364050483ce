"""Windows that the past suggests: stretches of work in a repository, with their meters, tokens and features.

A stretch goes from one pause to the next, by the requests in the session logs and the commits. Its id comes from its
first moment, so that it is the same whenever it is proposed.
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from attrs import frozen

from tracker.api import UsageEvent
from tracker.kernel import Capture, Session, TrackerError, Windows, canonical, iso, number, plural, rate, span
from tracker_capture import repository
from tracker_capture.readings import Sample, by_provider, history
from tracker_capture.repository import Commit, left_in
from tracker_capture.rests import COMMITS, Measurements, Moments, named, rests, taken_of
from tracker_capture.settings import Propose
from tracker_capture.windows import Draft, draft_of, is_read, moved, requests_of

# How far before `--since` to look for the beginning of a stretch that goes on after it, and the most.
LOOK_BACK, MOST_BACK = timedelta(days=1), timedelta(days=60)
# How old the reading before a stretch may be: no period of a meter of a week, or of less, goes on for longer.
OLDEST = timedelta(days=8)

# Why a window's tokens are not known, as in `tracker windows`: what is counted, and the reason.
UNKNOWN = {
    "lost_sessions": ("session", "since only daily totals of {} are left"),
    "accounts": ("account", "since the requests belong to {}"),
}
# Commits, requests and totals of days, readings, moments.
Work = tuple[list[Commit], Sequence[UsageEvent], list[Sample], Moments]


@frozen(kw_only=True)
class Share:
    """What a provider did in a stretch: requests and tokens here, the share of its tokens that went elsewhere, and the
    window that can be made, or why none can. lacks: for want of readings that can be taken by themselves.
    unknown: why its tokens are not."""

    provider: str
    requests: int
    tokens: int | None
    cost: float | None
    unpriced: int  # requests that the cost leaves out
    elsewhere: float | None
    unknown: Mapping[str, int]
    draft: Draft | None
    why: str | None
    lacks: bool


@frozen(kw_only=True)
class Proposal:
    """goes_on: the last moment is so near that the stretch may not be over.

    beside: windows of its time that came by `tracker import`, and may hold the same work if somebody moved here.
    """

    window: str
    start: datetime
    end: datetime
    branches: tuple[str, ...]
    features: tuple[str, ...]
    commits: int
    shares: tuple[Share, ...]
    goes_on: bool
    beside: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {
            "window": self.window,
            "from": iso(self.start),
            "to": iso(self.end),
            "goes_on": self.goes_on,
            "beside": list(self.beside),
            "branches": list(self.branches),
            "commits": self.commits,
            "features": len(self.features),
            "counted": list(self.features),
            "providers": {
                share.provider: {
                    "meters": moved(share.draft) if share.draft else {},
                    "why": share.why,
                    "requests": share.requests,
                    "tokens": share.tokens,
                    "cost_usd": share.cost,
                    "unpriced_requests": share.unpriced,
                    "elsewhere": None if share.elsewhere is None else round(share.elsewhere, 3),
                    **share.unknown,
                }
                for share in self.shares
            },
        }


def proposals(session: Session, since: datetime) -> list[Proposal]:
    """The stretches of work in this repository that no window holds yet, the earliest first: whole, if a part of them
    is of an instant or later."""
    settings = session.settings(Propose)
    pause = timedelta(minutes=settings.gap_minutes)
    commits, events, samples, moments = _work(session, since, pause)
    samples_of, ids = by_provider(samples), _logged_ids(session, settings)
    logged = requests_of(events)
    requests = {name: _told(own) for name, own in samples_of.items()} | logged
    known, (taken, accepted, foreign) = set(session.index.windows()), taken_of(session, logged)
    found = []
    for rest in rests(moments, pause.total_seconds(), taken, accepted):
        start, end = (datetime.fromtimestamp(at, UTC) for at in (rest.first, rest.last))
        if (window := named(rest.first)) in known or end < since:
            continue
        inside = [commit for commit in commits if rest.has(COMMITS, commit.at.timestamp())]
        within = [event for event in events if event.since is not None or rest.has(event.provider, event.at)]
        if not inside and not any(event.in_folder for event in within):
            continue
        # without a request here, only a provider without logs can have worked
        others = {name for name in samples_of.keys() - logged if not taken[name].meets(rest.first, rest.last)}
        found.append(
            Proposal(
                window=window,
                start=start,
                end=end,
                branches=tuple(sorted({event.branch for event in within if event.in_folder and event.branch})),
                features=tuple(counted(inside, settings.features, ids)),
                commits=len(inside),
                shares=tuple(
                    _share(session, window, name, (start, end), within, samples_of.get(name, ()), requests[name])
                    for name in sorted({one.provider for one in within if one.in_folder} or others)
                ),
                goes_on=session.now - end < pause,
                beside=rest.beside(foreign),
            )
        )
    return found


def _told(samples: Iterable[Sample]) -> list[datetime]:
    """When requests were made, without session logs: clients write their meters after each."""
    found = (at for one in samples if not one.is_scheduled and one.capture is None for at in (one.at, one.until))
    return sorted(set(found))


def _work(session: Session, since: datetime, pause: timedelta) -> Work:
    """What was done since an instant, and before it back to a pause: a stretch begins at a pause, not at an option."""
    folder, back = repository.folder(), LOOK_BACK
    while True:
        begin = since - back
        commits = repository.commits(begin)
        events = session.registry.first("usage_events", session=session, since=begin - OLDEST, folder=folder) or ()
        samples = history(session, since=begin - OLDEST)
        done = [(event.at, event.provider) for event in events if event.in_folder]
        if not requests_of(events):
            # the readings say when somebody worked: clients write them at each turn
            done = [(at.timestamp(), one.provider) for one in samples for at in (one.at, one.until)]
        done += [(commit.at.timestamp(), COMMITS) for commit in commits]
        moments = sorted(one for one in done if one[0] >= begin.timestamp())
        cut, edge = since.timestamp(), (begin + pause).timestamp()
        stretches = rests(moments, pause.total_seconds(), defaultdict(Measurements), Measurements())
        if back > MOST_BACK or not any(one.first <= edge and cut <= one.last for one in stretches):
            return commits, events, samples, moments
        back *= 2


def opened(session: Session, before: datetime) -> Iterator[tuple[str, Capture]]:
    """The provider and the BEFORE of each window that was opened before an instant: it holds all work since."""
    for (_, provider), group in Windows(session).captures(session.index.unfinalized()).items():
        first, last = canonical(group)
        if first is not None and last is None and first.captured_at < before:
            yield provider, first


def counted(commits: Sequence[Commit], rule: str, ids: Sequence[str]) -> list[str]:
    """The features among the commits of one window, each once. What a later window reverts is that window's churn."""
    commits = left_in(commits)
    kind, _, name = rule.partition(":")
    if kind == "merges":
        found = [commit.subject for commit in commits if commit.is_merge]
    elif kind == "commits":
        found = [commit.subject for commit in commits if commit.is_feature]
    elif kind == "trailer" and name.strip():
        found = [value for commit in commits for value in commit.trailers(name.strip())]
    elif kind == "log":
        found = [one for one in ids if any(_names(commit.message, one) for commit in commits)]
    else:
        raise TrackerError(
            f"propose.features in tracker.toml: Invalid rule {rule!r}."
            " Expected commits, merges, log, or trailer:NAME, such as trailer:Feature."
        )
    return list(dict.fromkeys(found))


def _names(text: str, one: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text) is not None


def _logged_ids(session: Session, settings: Propose) -> list[str]:
    """The ids in the feature log, if they are counted."""
    if settings.features != "log":
        return []
    path = Path(session.settings_file.base) / settings.feature_log
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = [row.get("feature_id") or "" for row in csv.DictReader(file)]
    except (OSError, csv.Error) as error:
        raise TrackerError(
            f"Cannot read {path}: {error}. Expected a feature log. Set propose.feature_log in tracker.toml."
        ) from error
    return list(dict.fromkeys(one.strip() for one in rows if one.strip()))


def _share(
    session: Session,
    window: str,
    provider: str,
    times: tuple[datetime, datetime],
    events: Sequence[UsageEvent],
    samples: Sequence[Sample],
    requests: Sequence[datetime],
) -> Share:
    """What a provider did. events: of the stretch, and all totals; samples, requests: its own, also those around."""
    draft, why, source = None, None, session.registry.providers.get(provider)
    events = [one for one in events if one.provider == provider]
    here = [one for one in events if one.in_folder]
    own = requests_of(here).get(provider) or [at for at in requests if times[0] <= at <= times[1]]
    start, end = (own[0], own[-1]) if own else times
    samples, requests = [one for one in samples if one.until >= start - OLDEST], requests if own else ()
    try:
        draft = draft_of(session, window, provider, samples, (start, end), requests, is_exact=bool(own))
    except TrackerError as error:
        # both are about `windows add`
        why = str(error).removesuffix(" Nothing was stored.").removesuffix(" Use --stale-ok to take it.")
    measured = [one for one in events if one.since is None and (draft is None or _is_in(draft, one))]
    mine = [event for event in measured if event.in_folder]
    total, used = (sum(event.tokens + event.cached_tokens for event in some) for some in (measured, mine))
    costs = [event.fresh + event.cached for event in mine if event.fresh is not None and event.cached is not None]
    unknown = _unknown((draft.before.at, draft.after.at) if draft else times, measured, events)
    return Share(
        provider=provider,
        requests=len(mine),
        tokens=None if unknown else used,
        cost=round(math.fsum(costs), 9) if costs and not unknown else None,  # as `tracker usage` has it
        unpriced=len(mine) - len(costs),
        elsewhere=None if unknown else 1 - used / total if total else 0.0,
        unknown=unknown,
        draft=draft,
        why=why,
        lacks=draft is None and source is not None and is_read(source, samples),
    )


def _unknown(
    times: tuple[datetime, datetime], measured: Sequence[UsageEvent], events: Sequence[UsageEvent]
) -> Mapping[str, int]:
    """Why it is not known what a window of this time used, by the rules of `tracker windows`."""
    start, end = (at.timestamp() for at in times)
    own = {event.account for event in measured}
    touching = (one for one in events if one.since is not None and start < one.at and one.since <= end)
    lost = {one.session for one in touching if not (one.account and own) or own & {one.account, ""}}
    accounts = own - {""}
    found = {"lost_sessions": len(lost)} if lost else {}
    return found | ({"accounts": len(accounts)} if len(accounts) > 1 else {})


def _is_in(draft: Draft, event: UsageEvent) -> bool:
    """Whether a request moved a window's meters: a BEFORE already includes a request of its own instant."""
    return draft.before.at.timestamp() < event.at <= draft.after.at.timestamp()


def lines(found: Sequence[Proposal], local: tzinfo) -> Iterator[str]:
    """Each proposal, its providers and its features in words."""
    for one in found:
        start, end = one.start.astimezone(local), one.end.astimezone(local)
        on = f", on {', '.join(one.branches)}" if one.branches else ""
        still = ", may still go on" if one.goes_on else ""
        counts = f"{plural(len(one.features), 'feature')}, {plural(one.commits, 'commit')}"
        times = f"{start:%a %Y-%m-%d %H:%M} to {end:%a %H:%M} ({span(one.end - one.start)}{still})"
        yield f"{one.window}: {times}, {counts}{on}"
        for share in one.shares:
            yield f"  {share.provider}: {_meters(share)}{_used(share)}"
        if one.beside:
            names = ", ".join(one.beside)
            yield f"  overlaps {names}, which came by `tracker import`: accept it if it is other work"
        for feature in one.features:
            yield f"  + {feature}"


def _meters(share: Share) -> str:
    if share.draft is None:
        # what was used follows
        return f"capacity not known: {(share.why or '').removesuffix('.')}"
    return " ".join(f"{meter} {number(delta)}" for meter, delta in moved(share.draft).items())


def _used(share: Share) -> str:
    if not share.requests:
        return ""
    text = f", {plural(share.requests, 'request')}"
    for name, count in share.unknown.items():
        noun, why = UNKNOWN[name]
        return f"{text}, tokens not known, {why.format(plural(count, noun))}"
    text += f", {share.tokens:,} tokens"
    if share.cost is not None:
        least = "at least " if share.unpriced else ""
        text += f", {least}${_dollars(share.cost, is_least=bool(share.unpriced))} at list price"
    if share.unpriced:
        text += f"; {plural(share.unpriced, 'request')} without a known price"
    if share.elsewhere and share.elsewhere >= 0.01:
        text += f"; {share.elsewhere:.0%} of its tokens went to other projects"
    return text


def _dollars(cost: float, *, is_least: bool) -> str:
    """With cents; what is under half a cent is not nothing. What it was at least is not rounded up."""
    smallest = 0.005
    if is_least and cost:
        smallest = 0.01
        size = 10.0 ** (2 if cost >= smallest else 1 - math.floor(math.log10(cost)))
        cost = math.floor(round(cost * size, 7)) / size
    if cost < smallest:
        return rate(cost)
    # halves are rounded up
    return f"{cost * (1 + 1e-12):,.2f}"


def chosen(found: Sequence[Proposal], windows: Sequence[str], pause: float) -> list[Proposal]:
    """The proposals of those ids."""
    known: Mapping[str, Proposal] = {one.window: one for one in found}
    wanted = []
    for window in dict.fromkeys(windows):
        one = known.get(window)
        if one is None:
            names = f"Proposed: {', '.join(known)}." if known else "Nothing is proposed."
            raise TrackerError(f"{window!r} is not a proposed window. {names} Nothing was stored.")
        if one.goes_on:
            raise TrackerError(
                f"{window} may still go on: its last request or commit is under {number(pause)} min old."
                f" Accept it later{_at_once(one)} Nothing was stored."
            )
        if not any(share.draft for share in one.shares):
            raise TrackerError(f"The capacity of {window} is not known: {_why(one)}. Nothing was stored.")
        wanted.append(one)
    return wanted


def _at_once(one: Proposal) -> str:
    """How to store work that may still go on, or what is missing for its capacity."""
    if names := [share.provider for share in one.shares if share.draft]:
        times = f"--from {iso(one.start)} --to {iso(one.end)}"
        options = "".join(f" --provider {name}" for name in names)
        return f", or store it now with `tracker windows add {one.window} {times}{options}`."
    needs = "It needs a reading before the first request and one after the last (`tracker capture PROVIDER --sample`)."
    return f". Its capacity is not known: {_why(one)}. {needs}"


def _why(one: Proposal) -> str:
    reasons = [share.why.removesuffix(".") for share in one.shares if share.why]
    return "; ".join(reasons) or "no provider worked in it"
