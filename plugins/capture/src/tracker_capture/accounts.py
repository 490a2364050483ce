"""Which account each provider's window was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracker.kernel import Session, Windows
from tracker_capture.readings import account_names, account_of


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The account's name or hash by window and provider; of two both."""
    names = account_names(session)
    found = {}
    for key, group in Windows(session).captures(windows).items():
        hashes = set()
        for capture in group:
            parsed = capture.record.get("parsed")
            named = account_of(parsed.get("account")) if isinstance(parsed, dict) else None
            kept = capture.record.get("account")
            if account := named or (kept if isinstance(kept, str) else None):
                hashes.add(names.get(account, account))
        if hashes:
            found[key] = {"account": "+".join(sorted(hashes))}
    return found
