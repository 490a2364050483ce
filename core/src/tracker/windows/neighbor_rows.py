"""The pairs of other lanes beside the one that counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tracker.contract.readings import iso
from tracker.text.render import line
from tracker.windows.captures import Capture, by_lane, canonical


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
