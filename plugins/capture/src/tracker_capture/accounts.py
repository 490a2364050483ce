"""Which account each reading and each provider's window is of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracker.api import account_id
from tracker.kernel import Session, Windows, canonical
from tracker_capture.outline import Owner, outline, text_of
from tracker_capture.readings import mask_of
from tracker_capture.settings import CaptureSettings

# What a window is shown with that was forced from one account to another: it belongs to neither.
MIXED = "2 accounts"
HASH = re.compile(r"[0-9a-f]{12}")


def owners(session: Session) -> Owner:
    """What names the account of a reading: by the settings, else by its hash.

    One without any is of the provider's only account, if all its other readings are.
    """
    names, found = _names(session), dict[str, set[str]]()
    for provider, _, account, _ in outline(session).peaks:
        if account is not None:
            found.setdefault(provider, set()).add(names.get(account, account))
    only = {provider: own.pop() for provider, own in found.items() if len(own) == 1}
    return lambda provider, account: names.get(account or "", account) or only.get(provider)


def _names(session: Session) -> dict[str, str]:
    """A redacted address belongs to the one account that it fits; if it fits several, it has a name of its own."""
    masks = {mask: set(accounts) for mask, accounts in outline(session).masks.items()}
    names = {}
    for name, one in session.settings(CaptureSettings).accounts.items():
        if HASH.fullmatch(one):
            names[one] = name
        else:
            names[account_id(one)] = name
            masks.setdefault(str(mask_of(one)), set()).add(account_id(one))
    for mask, accounts in masks.items():
        names.setdefault(mask, " or ".join(sorted(names.get(one, one) for one in accounts)))
    return names


def accounts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], str]:
    """The account's name or hash by window and provider, by the captures that count.

    A finalized window keeps the account that it was measured on: its features were counted there.
    """
    owner, rows = owners(session), Windows(session).finalized(windows)
    found = {}
    for (window, provider), group in Windows(session).captures(windows).items():
        pair = rows[window].pair(provider, group) if window in rows else canonical(group)
        records = [capture.record for capture in pair if capture is not None]
        # older records have the redacted address alone
        parsed = [one for record in records if isinstance(one := record.get("parsed"), dict)]
        named = {text_of(record.get("account")) for record in records} - {None}
        named = named or {mask_of(one.get("account")) for one in parsed} - {None}
        own = [name for name in {owner(provider, one) for one in named or {None}} if name is not None]
        if own:
            found[window, provider] = own[0] if len(own) == 1 else MIXED
    return found
