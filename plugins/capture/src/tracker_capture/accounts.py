"""Which account each provider's window was measured on."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.kernel import Session
from tracker_capture.readings import account_names, mask_of


def accounts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], str]:
    """The account's name or hash by window and provider; of two both."""
    names = account_names(session)
    hashes: dict[tuple[str, str], set[str]] = {}
    for entry in (one for stream in session.registry.status_streams for one in session.index.entries(stream, windows)):
        # older records have the redacted address alone
        parsed, kept = entry.record.get("parsed"), entry.record.get("account")
        masked = mask_of(parsed.get("account")) if isinstance(parsed, dict) else None
        account, provider = kept if isinstance(kept, str) else masked, str(entry.record.get("provider"))
        if account and provider in session.registry.sources:
            key = str(entry.record.get("window")), provider
            hashes.setdefault(key, set()).add(names.get(account, account))
    return {key: "+".join(sorted(own)) for key, own in hashes.items()}
