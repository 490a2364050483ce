"""What a plugin declares about a source and the places it can be captured from; every added field has a default.

docs/reference/plugins.md has the fields that are not explained here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from attrs import NOTHING, field, fields, frozen

from tracker.contract import Struct, checks
from tracker.contract.readings import Meters

Kind: TypeAlias = Literal["status", "report", "telemetry", "view"]
KINDS: tuple[str, ...] = get_args(Kind)
STATUS, REPORT, STREAM, VIEW = KINDS
# operators have typed these two since the first release, although an assembler and an octal dump have their names
OPERATORS = frozenset(("as", "od"))

VARIABLE = checks.maybe("the name of an environment variable", r"[A-Z][A-Z0-9_]*")
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

    name: str = field(validator=checks.must_be("a name such as logs, not stdin", rf"(?!stdin$){checks.NAME_PATTERN}"))
    title: str = field(validator=checks.LINE)
    cure: str = field(default="", validator=checks.LINE)
    seconds: float = field(default=20.0, validator=checks.must_be("a number from 0 up", checks.number_from(0)))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class FileOrigin(Origin):
    """One line of a folder's newest files, such as a program's session files.

    The text is the newest line that contains `marker` and that `parse_status` makes a value of. Files are read from
    their ends, the last changed first, until none can hold a reading with a later `as_of`. If the change times tell
    nothing, as in a copied tree, the files whose names sort last are read as well.
    """

    folder: str = field(validator=checks.LINE)
    pattern: str = field(validator=checks.must_be("files below the folder, without **", rf"(?!.*\*\*){PATH}"))
    marker: str = field(validator=checks.must_be("a text of one line", r"[^\n]+"))
    owner: str | None = field(default=None, validator=checks.MAYBE_LINE)
    variable: str | None = field(default=None, validator=VARIABLE)
    lines: int = field(default=200, validator=checks.POSITIVE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class LogOrigin(Origin):
    """The files of a folder that a source reads line by line, such as a client's session logs.

    Each file is a stream of its own. A file that grew is read from where the last read ended; its events go to windows
    by their time. words: a line without any of these is skipped unread; if there are none, every line is read.
    """

    folder: str = field(validator=checks.LINE)
    pattern: str = field(validator=checks.must_be("files below the folder, without .zst", rf"(?!.*\.zst$){PATH}"))
    variable: str | None = field(default=None, validator=VARIABLE)
    words: tuple[str, ...] = field(default=(), validator=checks.TEXTS)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class CommandOrigin(Origin):
    """What a program prints. It is found on the PATH and started without a shell; a failure's output is not a text."""

    argv: tuple[str, ...] = field(validator=ARGV)
    stdin: str = field(default="", validator=checks.TEXT)
    scope: str | None = field(default=None, validator=checks.MAYBE_LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class ExchangeOrigin(Origin):
    """What a program answers over its standard input and output, one JSON object a line, as JSON-RPC does it.

    The messages are sent in order; one with an ``id`` is answered before the next is sent, and anything in between is
    ignored. The text is the answers, a line each: those to the ids in `keep` (all if it is empty), and an answer with
    an ``error``, which also ends the exchange.
    """

    argv: tuple[str, ...] = field(validator=ARGV)
    messages: tuple[Mapping[str, Any], ...] = field(validator=checks.tuple_of(Mapping))
    keep: tuple[int | str, ...] = field(default=(), validator=checks.tuple_of(int, str))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class HttpOrigin(Origin):
    """What a server answers to a GET request with the user's key. It is off unless the user gave the key for this.

    key: the environment variable that holds the key; its name begins with ``TRACKER_``, since a key that the user keeps
    for another program is not ours to send.
    """

    address: str = field(validator=checks.must_be("an address that begins with https://", r"https://\S+"))
    path: str = field(validator=checks.must_be("a path that begins with /", r"/\S*"))
    key: str = field(validator=checks.must_be("a variable such as TRACKER_ACME_KEY", r"TRACKER_[A-Z0-9_]+"))
    variable: str | None = field(default=None, validator=VARIABLE)
    header: str = field(default="Authorization", validator=checks.must_be("a name", r"[A-Za-z][A-Za-z0-9-]*"))
    prefix: str = field(default="", validator=checks.must_be("printable ASCII", r"[\x20-\x7e]*"))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StatusLineOrigin(Origin):
    """The JSON that a program hands to the command that writes its status row; the last reading is kept.

    settings: the program's JSON settings file below the folder, which names that command. folder: the folder; ``~`` is
    the home. variable: an environment variable that names another folder.
    """

    settings: str = field(default="", validator=checks.LINE)
    folder: str = field(default="", validator=checks.LINE)
    variable: str | None = field(default=None, validator=VARIABLE)


ORIGINS = tuple(Origin.__subclasses__())


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class DemoStep(Struct):
    """One command of ``tracker demo``.

    `arguments` follow ``tracker``; ``{window}`` in them becomes the demo's window, ``{window+1}`` the next one and so
    on. `capture` is a file inside the plugin's package that is piped to the command, so give ``--stdin`` too. The
    steps of all plugins run by `stage`: 10 start, 20 during the work, 30 end, 40 after it, from 50 on more windows.
    """

    stage: int = field(validator=checks.WHOLE)
    arguments: tuple[str, ...] = field(validator=checks.TEXTS)
    capture: str | None = field(default=None, validator=checks.MAYBE_LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Demo(Struct):
    """What a source contributes to ``tracker demo``: its steps, and the features that its provider finished."""

    steps: tuple[DemoStep, ...] = field(validator=checks.tuple_of(DemoStep))
    features: int | None = field(default=None, validator=checks.MAYBE_WHOLE)


def copied(value: Any) -> Any:
    """A copy of the value and its parts, each in the contract's own class."""
    if isinstance(value, Mapping):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(copied, value))
    own = (one for one in type(value).__mro__ if one.__module__.startswith(f"{__package__}."))
    kind: Any = next(own, None)
    return kind(**{one.name: copied(getattr(value, one.name)) for one in fields(kind)}) if kind else value


TAGS = checks.must_be(
    "a mapping of tags to texts of one line",
    lambda value: isinstance(value, Mapping) and all(map(checks.is_line, [*value, *value.values()])),
)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Comparison(Struct):
    """A figure of a report that estimates a provider's meter.

    `figure` is a key of the report's reading (used percent), in readings whose `scope` field is this one. `meter` is
    the meter of `provider` that shows the same quantity.
    """

    scope: str = field(validator=checks.LINE)
    figure: str = field(validator=checks.LINE)
    provider: str = field(validator=checks.LINE)
    meter: str = field(validator=checks.LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Declaration(Struct):
    """What a plugin declares about the source that it reads. Use the class of the source's kind.

    contract: the contract version that the plugin was built for, such as ``"1.2"``.
    name: the name of its entry point; lower-case letters, digits and single dashes.
    title: how people call it; also the title of its preview block unless the block says otherwise.
    stream: the journal file that its records go to, without ``.jsonl``; of a view, whose records others write.
    place: the position of its preview block, smallest first. Blocks of one place are ordered by title.
    """

    KIND: ClassVar[str | None] = None  # None if the field `kind` says it

    contract: str = field(validator=checks.must_be("a version such as 1.2", r"[0-9]+\.[0-9]+"))
    name: str = field(validator=checks.NAME)
    title: str = field(validator=checks.LINE)
    stream: str = field(validator=checks.SLUG)
    place: int = field(default=50, validator=checks.WHOLE)

    def as_source(self) -> Source:
        """A copy in the class with the fields of every kind; nothing that a plugin keeps can change it later."""
        given = {one.name: own for one in fields(Source) if (own := getattr(self, one.name, NOTHING)) is not NOTHING}
        return Source(**copied(given | ({"kind": self.KIND} if self.KIND else {})))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Input(Declaration):
    """What all kinds but a view have."""

    prefix: str | None = field(default=None, validator=checks.maybe("one to eight lower-case letters", r"[a-z]{1,8}"))
    tags: Mapping[str, str] = field(factory=dict, validator=TAGS)
    demo: Demo | None = field(default=None, validator=checks.maybe("a Demo", Demo))
    origins: tuple[Origin, ...] = field(default=(), validator=checks.tuple_of(*ORIGINS, distinct="name"))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StatusSource(Input, Meters):
    """A provider's meters, read before and after the work.

    meters: its gauges. open_meters: whether readings may have others, slugs in used percent.
    capacity: the key of the one meter whose delta is the provider's cost; None if it has no quota.
    models: texts that identify its models in any client's session logs: each model's name contains one of them.
    """

    KIND: ClassVar[str | None] = STATUS

    stream: str = field(default="snapshots", validator=checks.SLUG)
    models: tuple[str, ...] = field(default=(), validator=checks.LINES)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class ReportSource(Input):
    """A report of usage, read at any time."""

    KIND: ClassVar[str | None] = REPORT

    scopes: tuple[str, ...] = field(default=(), validator=checks.TEXTS)
    comparisons: tuple[Comparison, ...] = field(default=(), validator=checks.tuple_of(Comparison))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class TelemetrySource(Input):
    """A stream of requests, read line by line. models: for session logs, those of the client's own vendor."""

    KIND: ClassVar[str | None] = STREAM

    routed_label: str = field(default="routed", validator=checks.SLUG)
    models: tuple[str, ...] = field(default=(), validator=checks.LINES)
    prices: str | None = field(default=None, validator=checks.MAYBE_LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class View(Declaration):
    """A preview block of the records in a stream that others write."""

    KIND: ClassVar[str | None] = VIEW


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Source(StatusSource, ReportSource, TelemetrySource):
    """The spelling of contract 1.0: the fields of every kind, and `kind`, which says which of them count."""

    KIND: ClassVar[str | None] = None

    kind: Kind = field(default="status", validator=checks.one_of(*KINDS))

    @property
    def is_stream(self) -> bool:
        """Whether it reads a stream of events, line by line."""
        return self.kind == STREAM

    @property
    def is_provider(self) -> bool:
        """Whether it is a subscription with a quota, to which features are credited."""
        return self.kind == STATUS and self.capacity is not None

    @property
    def shell_functions(self) -> dict[str, str]:
        """The operator's short shell functions, each with the words that follow `tracker`."""
        if self.prefix is None or self.kind == VIEW:
            return {}
        if self.kind != STATUS:
            return {self.prefix: f"ingest {self.name}"}
        delete = f"alias delete {self.name}"
        found = {"s": f"alias start {self.name}", "e": f"alias end {self.name}", "x": f"alias cross {self.name}"}
        found |= {"d": delete} | {f"d{index}": f"{delete} --phase after --index {index}" for index in (1, 2)}
        return {f"{self.prefix}{letter}": words for letter, words in found.items()}

    @property
    def hidden_words(self) -> list[str]:
        """Those of its shell functions that would hide a program, tracker itself, or a word of bash, zsh or fish.

        The file has the reserved words and builtins that letters alone make (`compgen -bk`;
        `print -l ${(k)builtins} ${(k)reswords}`; `builtin -n`).
        """
        from pathlib import Path
        from shutil import which

        words = Path(__file__).with_name("shell_words.txt").read_text(encoding="utf-8").split()
        return sorted(one for one in {*self.shell_functions} - OPERATORS if one in (*words, "tracker") or which(one))
