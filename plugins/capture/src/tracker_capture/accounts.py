"""Which account each provider's window was measured on."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.kernel import Session, Windows, canonical
from tracker_capture.readings import account_names, mask_of, only_accounts

# What a window is shown with that was forced from one account to another: it belongs to neither.
MIXED = "2 accounts"


def accounts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], str]:
    """The account's name or hash by window and provider, by the captures that count.

    A finalized window keeps the account that it was measured on: its features were counted there.
    """
    names = account_names(session)
    only = only_accounts(session, names)
    found, rows = {}, Windows(session).finalized(windows)
    for key, group in Windows(session).captures(windows).items():
        pair = rows[key[0]].pair(key[1], group) if key[0] in rows else canonical(group)
        records = [capture.record for capture in pair if capture is not None]
        # older records have the redacted address alone
        parsed = [one for record in records if isinstance(one := record.get("parsed"), dict)]
        own = {record.get("account") for record in records} - {None} or {mask_of(one.get("account")) for one in parsed}
        own = {names.get(str(one), one) for one in own - {None}}
        if own:
            found[key] = str(own.pop()) if len(own) == 1 else MIXED
        elif key[1] in only:
            found[key] = only[key[1]]
    return found
