"""What a window itself reverted counts for no feature."""

from __future__ import annotations

from datetime import UTC, datetime

from tracker_capture.proposals import counted
from tracker_capture.repository import Commit, left_in

AT = datetime(2026, 6, 1, tzinfo=UTC)
SHAS = [digit * 40 for digit in "abcd"]


def made(sha: str, message: str) -> Commit:
    return Commit(sha=sha, at=AT, parents=1, message=message, is_main=True)


def test_a_feature_that_the_window_reverted_does_not_count() -> None:
    login, tokens = made(SHAS[0], "feat: login\n\nImplements: F-1\n"), made(SHAS[1], "Feat(api)!: tokens")
    back = made(SHAS[2], f'Revert "feat: login"\n\nThis reverts commit {SHAS[0]}.\n')
    again = made(SHAS[3], f'Revert "Revert"\n\nThis reverts commit {SHAS[2]}.\n')
    assert counted([login, tokens], "commits", ()) == ["feat: login", "Feat(api)!: tokens"]
    assert counted([login, tokens, back], "commits", ()) == ["Feat(api)!: tokens"]
    assert counted([login, tokens, back], "trailer:Implements", ()) == []
    # the revert was reverted, too
    assert left_in([login, tokens, back, again]) == [login, tokens, again]
