"""Which account each provider's window was measured on."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.kernel import Session, Windows
from tracker_capture.readings import account_names, mask_of


def accounts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], str]:
    """The account's name or hash by window and provider; of two both."""
    names = account_names(session)
    found = {}
    for key, group in Windows(session).captures(windows).items():
        hashes = set()
        for capture in group:
            parsed = capture.record.get("parsed")
            # older records have the redacted address alone
            masked = mask_of(parsed.get("account")) if isinstance(parsed, dict) else None
            kept = capture.record.get("account")
            if account := kept if isinstance(kept, str) else masked:
                hashes.add(names.get(account, account))
        if hashes:
            found[key] = "+".join(sorted(hashes))
    return found
