"""What a new finalize row leaves behind: what the earlier one had, and the pairs of other lanes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tracker.contract.parsed import iso
from tracker.text.render import line, value
from tracker.windows.captures import Capture, by_lane, canonical
from tracker.windows.finalized import Finalized

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


def other_lanes(window: str, groups: Mapping[str, Sequence[Capture]]) -> Iterator[str]:
    """A note for each provider whose pair that counts is one of several."""
    for name, group in sorted(groups.items()):
        pair = canonical(group)
        whole = [lane for lane, own in by_lane(group).items() if own.before and own.after]
        if pair.before and pair.after and (others := [lane for lane in whole if lane != pair.after.agent_id]):
            times = f"{iso(pair.before.captured_at)} to {iso(pair.after.captured_at)}"
            yield (
                f"note: {name}: the pair of {_named([pair.after.agent_id])} counts ({times}); what {_named(others)}"
                f" measured is in `tracker window-audit --window {window}`"
            )


def _named(found: Iterable[str | None]) -> str:
    return ", ".join(f"lane {line(lane)}" if lane else "the lane without a name" for lane in found)
