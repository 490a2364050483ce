"""The contract: hooks, and the values that cross the plugin boundary."""

from __future__ import annotations


class Struct:
    """Comparison and representation, written once: what attrs compiles for each class is two thirds of its making."""

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
