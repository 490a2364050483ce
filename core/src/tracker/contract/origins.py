"""Where a source's text can be captured from, as plugins declare it.

Origins are compared by identity: nobody compares them, and `==` would cost every start 0.3 ms for each kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import ge, matches_re, optional

from tracker.contract.checks import MAYBE_TEXT, TEXT, TEXTS, WHOLE, finite, tuple_of

NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
VARIABLE = r"[A-Z][A-Z0-9_]*"
STDIN = "stdin"  # the origin that every provider has: what is piped


def _free(_owner: object, _attribute: Attribute[Any], value: str) -> None:
    if value == STDIN:
        raise ValueError(f"an origin cannot be named {STDIN!r}, which is what is piped")


def _inside(_owner: object, _attribute: Attribute[Any], value: str) -> None:
    parts = value.split("/")
    if not value or "\\" in value or not all(parts) or ".." in parts:
        raise ValueError(f"pattern must name files below the folder, got {value!r}")


def _flat(_owner: object, _attribute: Attribute[Any], value: str) -> None:
    if "**" in value:
        raise ValueError(f"pattern must name each folder by a part of its own, got {value!r}")


def _program(_owner: object, _attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    if not value or not value[0]:
        raise ValueError("argv must begin with the program's name")


def _https(_owner: object, _attribute: Attribute[Any], value: str) -> None:
    if not value.startswith("https://"):
        raise ValueError(f"address must begin with https://, got {value!r}")


@frozen(kw_only=True, eq=False)
class Origin:
    """A place that a source's text can be captured from; plugins declare one of the kinds below.

    name: what ``--from``, `parse_status` and the record call it. title: what it is, in a few words. cure: what to do
    if it is missing, such as how to install a program. seconds: how long it may take.
    """

    name: str = field(validator=[matches_re(NAME), _free])
    title: str = field(validator=TEXT)
    cure: str = field(default="", validator=TEXT)
    seconds: float = field(default=20.0, validator=[finite, ge(0)])


@frozen(kw_only=True, eq=False)
class FileOrigin(Origin):
    """One line of a folder's newest files, such as a program's session files.

    The text is the newest line that contains `marker` and of which `parse_status` makes a value. Files are read from
    their ends, the last changed first, until none can hold a reading with a later `as_of`. If the times of change say
    nothing, as in a copied tree, the files whose names sort last are read as well.

    folder: the folder; ``~`` is the home. variable: an environment variable that names another folder.
    pattern: the files below it, such as ``logs/*/run-*.jsonl``; each folder has a part of its own, and none is ``**``.
    lines: how many lines with the marker are read in one file.
    """

    folder: str = field(validator=TEXT)
    pattern: str = field(validator=[TEXT, _inside, _flat])
    marker: str = field(validator=matches_re(r"[^\n]+"))
    variable: str | None = field(default=None, validator=optional(matches_re(VARIABLE)))
    lines: int = field(default=200, validator=[WHOLE, ge(1)])


@frozen(kw_only=True, eq=False)
class LogOrigin(Origin):
    """The files of a folder that a source reads line by line, such as a client's session logs.

    Each file is a stream of its own. A file that grew is read from where it was left, and its events are given to
    windows by their time.

    folder: the folder; ``~`` is the home. variable: an environment variable that names another folder.
    pattern: the files below it, such as ``sessions/**/run-*.jsonl``. words: a line without any of these texts is
    skipped unread; if there are none, every line is read.
    """

    folder: str = field(validator=TEXT)
    pattern: str = field(validator=[TEXT, _inside])
    variable: str | None = field(default=None, validator=optional(matches_re(VARIABLE)))
    words: tuple[str, ...] = field(default=(), validator=TEXTS)


@frozen(kw_only=True, eq=False)
class CommandOrigin(Origin):
    """What a program prints. It is found on the PATH and started without a shell; a failure's output is not a text.

    argv: the program's name and its arguments; ``{scope}`` in them becomes the report's scope. scope: the one that is
    used if none is asked for. stdin: what the program reads.
    """

    argv: tuple[str, ...] = field(validator=[TEXTS, _program])
    stdin: str = field(default="", validator=TEXT)
    scope: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True, eq=False)
class ExchangeOrigin(Origin):
    """What a program answers over its standard input and output, one JSON object a line, as JSON-RPC does it.

    The messages are sent in order; one with an ``id`` is answered before the next is sent, and what comes in between
    is passed over. The text is the answers, a line each: those to the ids in `keep` (all if it is empty), and an
    answer with an ``error``, which also ends the exchange.
    """

    argv: tuple[str, ...] = field(validator=[TEXTS, _program])
    messages: tuple[Mapping[str, Any], ...] = field(validator=tuple_of(Mapping))
    keep: tuple[int | str, ...] = field(default=(), validator=tuple_of((int, str)))


@frozen(kw_only=True, eq=False)
class HttpOrigin(Origin):
    """What a server answers to a GET request with the user's key. It is off unless the user gave the key for this.

    address: scheme and host, ``https`` always. variable: the environment variable that names another. path: behind the
    address. key: the environment variable that holds the key; its name begins with ``TRACKER_``, since a key that the
    user keeps for another program is not ours to send. header: what the key is sent in, after `prefix`.
    """

    address: str = field(validator=_https)
    path: str = field(validator=matches_re(r"/\S*"))
    key: str = field(validator=matches_re(r"TRACKER_[A-Z0-9_]+"))
    variable: str | None = field(default=None, validator=optional(matches_re(VARIABLE)))
    header: str = field(default="Authorization", validator=matches_re(r"[A-Za-z][A-Za-z0-9-]*"))
    prefix: str = field(default="", validator=matches_re(r"[\x20-\x7e]*"))


@frozen(kw_only=True, eq=False)
class StatusLineOrigin(Origin):
    """What a program hands the command that writes its status row, as JSON; the last reading is kept.

    settings: the program's JSON settings below the folder, in which `statusLine` names the command, as
    ``{"type": "command", "command": "..."}``; `tracker setup` offers to write it there. folder: the folder; ``~`` is
    the home. variable: an environment variable that names another folder.
    """

    settings: str = field(default="", validator=TEXT)
    folder: str = field(default="", validator=TEXT)
    variable: str | None = field(default=None, validator=optional(matches_re(VARIABLE)))


KINDS = (FileOrigin, LogOrigin, CommandOrigin, ExchangeOrigin, HttpOrigin, StatusLineOrigin)
