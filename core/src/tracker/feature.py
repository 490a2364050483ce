"""What a feature plugin declares: plain values, so that `tracker --help` imports no feature's code, attrs or pluggy.

A feature's entry point in the group `tracker` names a module called `feature`. That module holds a function
`feature_info`, marked with this module's `hookimpl`, and the other hooks that the feature implements. Whatever they
need is imported inside them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

# The groups of `tracker --help`, in their order. Any other group comes after these, by name.
GROUPS = ("Daily", "Results", "Records", "Setup", "Plugins")


class Command(NamedTuple):
    """A command: its group in the help, one line about it, and where click finds it, as `module:attribute`."""

    group: str
    about: str
    place: str


class Feature(NamedTuple):
    """One feature.

    name: that of its entry point. commands: by the name that is typed. settings: the attrs class that holds a table of
    `tracker.toml`, as `module:attribute`, by the table's name; "" is the top level. streams: the journal streams that
    the feature writes, without `.jsonl`.
    """

    name: str
    commands: Mapping[str, Command] = {}
    settings: Mapping[str, str] = {}
    streams: tuple[str, ...] = ()


def hookimpl(function: Any) -> Any:
    """Mark a function as an implementation of the hook of its name, as pluggy's marker for `tracker` does.

    The mark is written here, because pluggy's own marker costs 30 ms of imports.
    """
    switches = ("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast")
    function.tracker_impl = dict.fromkeys(switches, False) | {"specname": None}
    return function
