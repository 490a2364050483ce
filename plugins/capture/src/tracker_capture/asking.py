"""Take a text from where a plugin declared it: files, programs, servers, and what a status line was handed.

No shell is ever started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tracker.api import CommandOrigin, ExchangeOrigin, FileOrigin, HttpOrigin, Origin, Source, StatusLineOrigin
from tracker_capture.answers import Answer, Asking, OriginError, begin, quoted

if TYPE_CHECKING:
    from tracker.kernel import Session


def ask(session: Session, source: Source, origin: Origin, timezone: str | None = None) -> Answer:
    """The reading that an origin gives now, with at least one value; else an `OriginError` that says why not."""
    answer = _way(origin)(begin(session, source, origin, timezone))
    if not answer.has_value:
        raise OriginError(_no_value(source, answer))
    return answer


def _way(origin: Origin) -> Callable[[Asking], Answer]:
    """What reads an origin of that kind; imported only then."""
    if isinstance(origin, FileOrigin):
        from tracker_capture.files import newest

        return newest
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        from tracker_capture.programs import answer_of

        return answer_of
    if isinstance(origin, HttpOrigin):
        from tracker_capture.http import answer_to

        return answer_to
    assert isinstance(origin, StatusLineOrigin)
    from tracker_capture.statusline import kept

    return kept


def _no_value(source: Source, answer: Answer) -> str:
    """Why a text gives no value: the reading's tags with what they mean, and how the text begins."""
    tags = answer.reading.errors or ("insufficient-data",)
    meanings = dict.fromkeys(source.tags.get(tag.partition(":")[0]) for tag in tags)
    meant = "; ".join(meaning for meaning in meanings if meaning)
    said = quoted(answer.text or "", first=True)
    return f"{', '.join(tags)}{f' ({meant})' if meant else ''}{f'; it said {said}' if said else ''}"
