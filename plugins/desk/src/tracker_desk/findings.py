"""What `tracker doctor` finds: where, what, what to do, and how it is mended where that only appends or sets aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from attrs import field, frozen

Level = Literal["error", "warning", "note"]
SHOWN = 20  # findings of one kind in one place that are told one by one


@frozen(kw_only=True)
class Finding:
    """One thing that is not as it should be.

    level: `error`, something that was recorded is not read, or not as it was written; `warning`, something should be
    looked at; `note`, worth knowing. check: its kind. fix: mends it.
    """

    level: Level
    check: str
    where: str
    what: str
    cure: str
    fix: Callable[[], None] | None = field(default=None, repr=False)
    is_fixed: bool = False

    def document(self) -> dict[str, Any]:
        keys = ("level", "check", "where", "what", "cure")
        return {key: getattr(self, key) for key in keys} | {
            "fixable": self.fix is not None,
            "fixed": self.is_fixed,
        }


def limited(found: Iterable[Finding], place: str) -> Iterator[Finding]:
    """The first findings of each kind; how many more there are."""
    counts = Counter[tuple[Level, str]]()
    for one in found:
        counts[one.level, one.check] += 1
        if counts[one.level, one.check] <= SHOWN:
            yield one
    for (level, check), count in counts.items():
        if count > SHOWN:
            more = f"{count - SHOWN} more findings of the kind {check}"
            yield Finding(level=level, check=check, where=place, what=more, cure="see those above")
