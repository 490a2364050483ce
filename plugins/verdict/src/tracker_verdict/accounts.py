"""Windows of several accounts: a per cent of one account's quota is not one of another's, so they are never added."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from shlex import quote
from typing import TYPE_CHECKING, Any

from tracker.kernel import Capture, Session, TrackerError, Windows, canonical, line, near

if TYPE_CHECKING:
    from tracker_verdict.tally import Figures

# What `window_accounts` answers for a window that was forced from one account to another: it belongs to neither.
MIXED = "2 accounts"
NO_ACCOUNT = "(not named)"
# why a window does not count if its captures are from two accounts or two plans
OTHER_ACCOUNT = "other-account"
TWO = {OTHER_ACCOUNT: "two accounts", "other-plan": "two plans"}
# the kernel's reason for a window whose number of features no `complete` gave
FEATURES_MISSING = "features-missing"


def accounts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], str]:
    """The account of each window and provider that names one: its hash without the feature that knows its name."""
    asked = {"session": session, "windows": windows}
    found: Mapping[tuple[str, str], str] | None = session.registry.first("window_accounts", **asked)
    return _by_captures(session, windows) if found is None else found


def _by_captures(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], str]:
    groups = Windows(session).captures(windows).items()
    return {key: account for key, group in groups if (account := canonical(group).account)}


def columns(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """What other features know about windows, by window and provider."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for answer in session.registry.ask("window_facts", session=session, windows=windows):
        for key, known in answer.items():
            found.setdefault(key, {}).update(known)
    if session.registry.first("window_accounts", session=session, windows=()) is None:
        for key, account in _by_captures(session, windows).items():
            found.setdefault(key, {})["account"] = account
    return found


def plans(pair: Iterable[Capture | None]) -> set[tuple[str, str]]:
    """The plans that captures name, each with its origin: another one has other words for the same plan."""
    return {
        (str(one.record.get("origin") or one.record.get("source")), plan)
        for one in pair
        if one is not None and isinstance(parsed := one.record.get("parsed"), dict)
        if isinstance(plan := parsed.get("plan"), str)
    }


def alike(one: str, other: str) -> bool:
    """Whether two words may mean one plan, as the kernel has it: JSON says `business` for a pane's `Enterprise`."""
    return one.islower() != other.islower() or one.casefold() == other.casefold()


def several_plans(known: Collection[tuple[str, str]]) -> list[str]:
    """The plans of each origin that names several in words of one kind; their per cent belong to different quotas."""
    found: dict[tuple[str, bool], dict[str, str]] = {}
    for origin, plan in sorted(known):
        found.setdefault((origin, plan.islower()), {}).setdefault(plan.casefold(), plan)
    return sorted({plan for own in found.values() if len(own) > 1 for plan in own.values()})


def note_excluded(session: Session, figures: Figures) -> None:
    """Say which windows are left out, and why, and whose figures are stale."""
    name, excluded, shared = figures.source.name, figures.excluded, figures.overlapping
    if shared:
        what = line(excluded[shared[0]]) if len(shared) == 1 else "overlap"
        session.note(f"note: {name} {first_of(map(line, shared), len(shared))} {what}: not counted. {_cure(shared[0])}")
    for text in filter(None, (figures.efficiency.unsure, figures.efficiency.mixed)):
        session.note(f"note: {name}: {line(text)}")
    two = {window: TWO[reason] for window, reason in excluded.items() if reason in TWO}
    for window, owners in two.items():
        session.note(f"note: {name} {line(window)} does not count: its BEFORE and AFTER are from {owners}.")
    said = {*shared, *two}
    if unknown := {window: reason for window, reason in excluded.items() if window not in said}:
        named = first_of((f"{line(window)} ({line(reason)})" for window, reason in unknown.items()), len(unknown))
        bare = next((window for window, reason in unknown.items() if reason == FEATURES_MISSING), None)
        cure = f" Type `tracker complete --window {line(quote(bare))} --{name}-features N`." if bare else ""
        session.note(f"note: {name} {named}: not counted.{cure}")
    for window in figures.stale:
        session.note(f"note: {name} {line(window)} is stale. {_cure(window)}")


def first_of(texts: Iterable[str], count: int, most: int = 6) -> str:
    """The first of `count` texts, and how many more there are."""
    more = f" and {count - most} more" if count > most else ""
    return ", ".join(islice(texts, most)) + more


def _cure(window: str) -> str:
    return f"`tracker decision-card --window {line(quote(window))}` names the cure."


def check(known: Collection[str], wanted: Iterable[str]) -> None:
    """Refuse an account that no window belongs to; nothing else would catch a typo."""
    for name in wanted:
        if name not in (*known, NO_ACCOUNT):
            hint = near(name, sorted(known)) if known else "No window has an account: leave out --account."
            raise TrackerError(f"No window belongs to account {name!r}. {hint}")


def several(known: Iterable[str | None]) -> list[str]:
    """The accounts to choose from: none, unless two are named."""
    named = {*known} - {MIXED}
    return sorted(name or NO_ACCOUNT for name in named) if len(named - {None}) > 1 else []


def one_of(names: Sequence[str], wanted: Collection[str], problem: str) -> str:
    """The account that was asked for; the problem as an error if none was, or several."""
    known = [name for name in names if name in wanted]
    if len(known) != 1:
        hint = f" {near(next(iter(wanted)), names)}" if wanted and not known else ""
        raise TrackerError(f"{problem} Choose one with --account.{hint}")
    return known[0]
