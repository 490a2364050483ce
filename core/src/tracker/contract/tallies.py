"""What adds up a provider's windows, and what they say together: protocols, which every preview asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from tracker.windows.captures import Capture
    from tracker.windows.reader import Finalized
    from tracker.windows.results import ProviderFigures


class Estimate(Protocol):
    """What a provider's windows say together; figures that cost much to compute are computed when they are read.

    n: the windows that count. efficiency: features per unit of capacity.
    ci: its interval at 95 %; ci_kind: where the spread comes from. power: that of telling a difference from nothing.
    """

    @property
    def n(self) -> int: ...
    @property
    def features(self) -> float: ...
    @property
    def capacity(self) -> float: ...
    @property
    def efficiency(self) -> float | None: ...
    @property
    def ci(self) -> tuple[float, float] | None: ...
    @property
    def ci_kind(self) -> Literal["measured", "assumed", "none"]: ...
    @property
    def power(self) -> float | None: ...
    @property
    def remarks(self) -> Sequence[str]:
        """What the preview says after the figures, such as the money per feature; must not cost much."""

    def figures(self) -> dict[str, Any]:
        """What `preview --json` prints of it, as JSON values."""


@runtime_checkable
class Tally(Protocol):
    """What adds up a provider's finalized windows one by one, because a million of them do not fit into memory."""

    def add(self, row: Finalized, group: Iterable[Capture]) -> None:
        """Add a window by its finalize row and the provider's captures in it."""

    def extend(self, other: Self) -> None:
        """Add the windows of another one."""

    def total(self, account: str = "") -> ProviderFigures:
        """What they say together. account: the one that they were measured on, if there are several."""
