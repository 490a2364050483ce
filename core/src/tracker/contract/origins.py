"""Where a source's text can be captured from, as plugins declare it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tracker.contract import Struct, checks

VARIABLE = checks.maybe("the name of an environment variable", checks.like(r"[A-Z][A-Z0-9_]*"))
PART = r"(?!\.\.(?:/|$))[^/\\\x00-\x1f]+"  # of a path below a folder
PATH = rf"{PART}(/{PART})*"
ARGV = checks.must_be(
    "a tuple of texts that begins with the name of a program",
    lambda value: isinstance(value, tuple) and all(isinstance(one, str) for one in value) and any(value[:1]),
)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Origin(Struct):
    """A place that a source's text can be captured from; plugins declare one of the kinds below.

    name: what ``--from``, `parse_status` and the record call it. title: what it is, in a few words. cure: what to do
    if it is missing, such as how to install a program. seconds: how long it may take.
    """

    name: str = field(validator=checks.matching("a name such as logs, not stdin", rf"(?!stdin$){checks.NAME_PATTERN}"))
    title: str = field(validator=checks.LINE)
    cure: str = field(default="", validator=checks.LINE)
    seconds: float = field(default=20.0, validator=checks.SECONDS)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class FileOrigin(Origin):
    """One line of a folder's newest files, such as a program's session files.

    The text is the newest line that contains `marker` and of which `parse_status` makes a value. Files are read from
    their ends, the last changed first, until none can hold a reading with a later `as_of`. If the times of change say
    nothing, as in a copied tree, the files whose names sort last are read as well.

    folder: the folder; ``~`` is the home. variable: an environment variable that names another folder.
    pattern: the files below it, such as ``logs/*/run-*.jsonl``; each folder has a part of its own, and none is ``**``.
    lines: how many lines with the marker are read in one file. owner: a text in lines that name the account; the last
    of them is put before the reading's line.
    """

    folder: str = field(validator=checks.LINE)
    pattern: str = field(validator=checks.matching("files below the folder, without **", rf"(?!.*\*\*){PATH}"))
    marker: str = field(validator=checks.matching("a text of one line", r"[^\n]+"))
    owner: str | None = field(default=None, validator=checks.MAYBE_LINE)
    variable: str | None = field(default=None, validator=VARIABLE)
    lines: int = field(default=200, validator=checks.COUNT)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class LogOrigin(Origin):
    """The files of a folder that a source reads line by line, such as a client's session logs.

    Each file is a stream of its own. A file that grew is read from the place it reached, and its events are given to
    windows by their time.

    folder: the folder; ``~`` is the home. variable: an environment variable that names another folder.
    pattern: the files below it, such as ``sessions/**/run-*.jsonl``. words: a line without any of these texts is
    skipped unread; if there are none, every line is read.
    """

    folder: str = field(validator=checks.LINE)
    pattern: str = field(validator=checks.matching("files below the folder", PATH))
    variable: str | None = field(default=None, validator=VARIABLE)
    words: tuple[str, ...] = field(default=(), validator=checks.TEXTS)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class CommandOrigin(Origin):
    """What a program prints. It is found on the PATH and started without a shell; a failure's output is not a text.

    argv: the program's name and its arguments; ``{scope}`` in them becomes the report's scope. scope: the one that is
    used if none is asked for. stdin: what the program reads.
    """

    argv: tuple[str, ...] = field(validator=ARGV)
    stdin: str = field(default="", validator=checks.TEXT)
    scope: str | None = field(default=None, validator=checks.MAYBE_LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class ExchangeOrigin(Origin):
    """What a program answers over its standard input and output, one JSON object a line, as JSON-RPC does it.

    The messages are sent in order; one with an ``id`` is answered before the next is sent, and what comes in between
    is passed over. The text is the answers, a line each: those to the ids in `keep` (all if it is empty), and an
    answer with an ``error``, which also ends the exchange.
    """

    argv: tuple[str, ...] = field(validator=ARGV)
    messages: tuple[Mapping[str, Any], ...] = field(validator=checks.tuple_of(Mapping))
    keep: tuple[int | str, ...] = field(default=(), validator=checks.tuple_of(int, str))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class HttpOrigin(Origin):
    """What a server answers to a GET request with the user's key. It is off unless the user gave the key for this.

    address: scheme and host, ``https`` always. variable: the environment variable that names another. path: behind the
    address. key: the environment variable that holds the key; its name begins with ``TRACKER_``, since a key that the
    user keeps for another program is not ours to send. header: what the key is sent in, after `prefix`.
    """

    address: str = field(validator=checks.matching("an address that begins with https://", r"https://\S+"))
    path: str = field(validator=checks.matching("a path that begins with /", r"/\S*"))
    key: str = field(validator=checks.matching("a variable such as TRACKER_ACME_KEY", r"TRACKER_[A-Z0-9_]+"))
    variable: str | None = field(default=None, validator=VARIABLE)
    header: str = field(default="Authorization", validator=checks.matching("a name", r"[A-Za-z][A-Za-z0-9-]*"))
    prefix: str = field(default="", validator=checks.matching("printable ASCII", r"[\x20-\x7e]*"))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StatusLineOrigin(Origin):
    """What a program hands the command that writes its status row, as JSON; the last reading is kept.

    settings: the program's JSON settings below the folder, where `tracker setup` offers to name that command. folder:
    the folder; ``~`` is the home. variable: an environment variable that names another folder.
    """

    settings: str = field(default="", validator=checks.LINE)
    folder: str = field(default="", validator=checks.LINE)
    variable: str | None = field(default=None, validator=VARIABLE)


KINDS = tuple(Origin.__subclasses__())
