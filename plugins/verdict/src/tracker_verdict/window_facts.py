"""What is known of each provider in each window: what its quota cost, and which other window moved the same meter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

from tracker.api import Check, Source
from tracker.kernel import FinalizeRow, Session, Windows, canonical, line
from tracker_verdict.accounts import accounts, several
from tracker_verdict.overlaps import Groups, overlaps_of
from tracker_verdict.price import prices
from tracker_verdict.tally import CHANGES, Tally

if TYPE_CHECKING:
    from tracker_verdict.regimes import Regime


def facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], dict[str, Any]]:
    """The money of each provider in each window, and per feature, if the price is in the settings.

    `overlaps` is the other window: the meter then moved for both, so nobody knows what a feature used.
    `would_overlap` is one that would overlap if both were finalized. `older_points` is how many of today's points each
    of its points counts as, if that changed since.
    """
    providers = session.registry.providers
    known = prices(session)
    rows, found = Windows(session).finalized(windows), defaultdict[tuple[str, str], dict[str, Any]](dict)
    groups = Windows(session).captures(windows)
    for name, source in providers.items():
        price, changes = known.get(name), _changes(session, source, rows)
        for one in _tally(session, source, rows, groups).results if price or changes else ():
            change = changes.get(one.window)
            if change and one.capacity and change.is_before(one.at):
                found[one.window, name]["older_points"] = change.ratio[0]
            if price and (one.features or one.capacity):
                own = found[one.window, name]
                own["money"] = price.cost(one.capacity)
                if one.features:
                    own["money_per_feature"] = own["money"] / one.features
        overlaps = overlaps_of(session, source, rows, groups)
        for window, other in overlaps.shared.items():
            own = found[window, name]
            if "money_per_feature" in own:
                own["money_per_feature"] = None
            own["overlaps"] = other
        for window, other in overlaps.waiting.items():
            found[window, name]["would_overlap"] = other
    asked = {*windows}
    return {key: own for key, own in found.items() if key[0] in asked}


def _changes(session: Session, source: Source, rows: Mapping[str, FinalizeRow]) -> Mapping[str, Regime | None]:
    """The change of the meter of each window's account; it imports nothing if none is known."""
    if not (session.root / CHANGES).exists():
        return {}
    from tracker_verdict.regimes import regime

    owners = {key[0]: account for key, account in accounts(session, list(rows)).items() if key[1] == source.name}
    are_several = bool(several(owners.values()))
    known = {
        account: regime(session, source, source.capacity, account, several=are_several)
        for account in {None, *owners.values()}
    }
    return {window: known[owners.get(window)] for window in rows}


def checks(session: Session, window: str) -> Iterator[Check]:
    """One for each provider whose meter another window moved at the same time, or that gives no figure."""
    rows, groups = Windows(session).finalized([window]), Windows(session).captures([window])
    for name, source in session.registry.providers.items():
        found = overlaps_of(session, source, rows, groups)
        if (other := found.shared.get(window)) is not None:
            slip, way = _slip(session, name, window, other)
            text = (
                f"{line(other)} ran at the same time on {name}'s meter, so neither counts. Give lanes that work at"
                f" the same time one window. {way}"
            )
            cure = f"tracker complete --reopen --window {quote(slip)}"
            yield Check(name="overlaps", state="failed", text=text, cure=cure)
        elif (other := found.waiting.get(window)) is not None:
            both = f"{line(other)} ran at the same time on {name}'s meter"
            if rows:
                text = f"It counts for {name} as long as {line(other)} is not finalized. {both}"
            else:
                text = f"{both}. If both are finalized, neither counts"
            # a remark is not a check of its own: it does not make a window more complete
            yield Check(name="finalized" if rows else "overlaps", state="ok" if rows else "failed", text=text)
        for reason in _tally(session, source, rows, groups).excluded.values():
            yield Check(name="finalized", state="ok", text=f"It gives no figure for {name}: {reason}")


def _slip(session: Session, name: str, window: str, other: str) -> tuple[str, str]:
    """Which of two windows to reopen, and when: in one lane, it is the one whose AFTER was forgotten until later."""
    groups = Windows(session).captures([window, other])
    for outer, inner in ((window, other), (other, window)):
        (start, end), (first, last) = (canonical(groups.get((one, name), ())) for one in (outer, inner))
        if not (start and end and first and last) or end.agent_id != last.agent_id:
            break
        if start.captured_at < first.captured_at and last.captured_at < end.captured_at:
            lane = f" --agent {quote(end.agent_id or '')}" if end.agent_id != session.lane else ""
            delete = f"`tracker alias delete {name} --window {quote(outer)} --keep-readings{lane}`"
            add = f"`tracker windows add {quote(outer)} --from TIME --to TIME --provider {name}{lane}`"
            when = f"If {line(outer)} was over before {line(inner)} began"
            return outer, f"{when}, {delete}, twice, and {add} recreate it once you have reopened it"
    return other, f"If {line(other)} is a mistake, reopen it"


def _tally(session: Session, source: Source, rows: Mapping[str, FinalizeRow], groups: Groups) -> Tally:
    found = Tally(session, source)
    for window, row in rows.items():
        found.add(row, groups.get((window, source.name), ()))
    return found
