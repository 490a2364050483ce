"""Events, checked: known keys, each with a value of its type."""

from __future__ import annotations

from tracker.contract.values import Event

NOTHING = type(None)
_TYPES: dict[str, set[type]] = {
    "str": {str},
    "int": {int},
    "float": {float, int},
    "bool": {bool},
    "list[str]": {list},
    "None": {NOTHING},
}
_ANNOTATIONS = {name: str(getattr(kind, "__forward_arg__", kind)) for name, kind in Event.__annotations__.items()}
# the types of each key's values; a bool is not an int here, because the exact type is looked up
TYPES: dict[str, frozenset[type]] = {
    name: frozenset(
        one for part in str(getattr(kind, "__forward_arg__", kind)).split("|") for one in _TYPES[part.strip()]
    )
    for name, kind in Event.__annotations__.items()
}
UNKNOWN: frozenset[type] = frozenset()


def check_event(event: object) -> None:
    """Refuse, by a TypeError that names it, a key that no event has or a value of a wrong type.

    Called for each of a million events: one look-up per key.
    """
    if type(event) is not dict:
        raise TypeError(f"an event is of type {type(event).__name__}. Expected dict.")
    types = TYPES
    for name, value in event.items():
        if type(value) not in types.get(name, UNKNOWN):
            raise _refusal(name, value)


def _refusal(name: object, value: object) -> TypeError:
    types = TYPES.get(name) if isinstance(name, str) else None
    if types is None:
        return TypeError(f"an event has the unknown key {name!r}. docs/plugins.md lists the known ones.")
    wanted = " or ".join(sorted("None" if kind is NOTHING else kind.__name__ for kind in types))
    return TypeError(f"an event's {name} is of type {type(value).__name__}. Expected {wanted}.")
