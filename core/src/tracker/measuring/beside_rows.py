"""What a new finalize row leaves behind: what the earlier one had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tracker.measuring.windows import Finalized
from tracker.texts.render import line, value

LONG = ("notes", "feature_ids")  # named without what they say
GIVEN = ("outcome", "methodology", "spec_id", "spec_version", "commit_start", "commit_end", *LONG)


def not_given_again(earlier: Finalized, record: Mapping[str, Any]) -> Iterator[str]:
    """A note about what the earlier row of the window had and the new one has not."""
    quality = earlier.quality if record["quality"] is None else None
    lost = [] if quality is None else [f"quality {value(quality, digits=1)}"]
    for key in GIVEN:
        old = earlier.record.get(key)
        if old and not record.get(key):
            lost.append(key.replace("_", " ") + ("" if key in LONG else f" {line(old)}"))
    features = {name: count for name, count in earlier.features.items() if record["features"].get(name) is None}
    lost += [f"{line(name)} features {value(count)}" for name, count in features.items()]
    if lost:
        yield (
            f"note: {record['window']} was finalized before and the latest row counts; not given again:"
            f" {', '.join(lost)}"
        )
