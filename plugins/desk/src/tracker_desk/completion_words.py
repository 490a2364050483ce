"""The words that complete a line in a shell. It writes nothing, not even the index, and prints nothing else."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Mapping

import click
from click.shell_completion import CompletionItem, _resolve_context, _resolve_incomplete, get_completion_class

from tracker.kernel import Session

PROGRAM = "tracker"
WINDOW = re.compile(rb'"window":\s*"([A-Za-z0-9._-]{1,64})"')
TAIL = 4 << 20  # bytes of a stream that are read


def answer(shell: str, root: click.Command) -> None:
    """Print the words for the line in COMP_WORDS; none if anything fails, since nobody would see the message."""
    kind = get_completion_class(shell)
    lines, nowhere = [], io.StringIO()
    with contextlib.suppress(Exception), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        assert kind is not None
        asked = kind(root, {}, PROGRAM, "")
        words, incomplete = asked.get_completion_args()
        # bash gives `--window=W0` as three words, others as one
        words = [word for word in words if word != "="]
        option, equals, _ = incomplete.partition("=")
        begin = f"{option}=" if equals and option.startswith("--") else ""
        for item in _items(root, words, incomplete):
            item.value = begin + item.value
            lines.append(asked.format_completion(item))
    click.echo("\n".join(lines))


def _items(root: click.Command, words: list[str], incomplete: str) -> Iterator[CompletionItem]:
    """What fits. A text parameter with a known placeholder or name has words that no command needs to declare."""
    context = _resolve_context(root, {}, PROGRAM, words)
    asked, incomplete = _resolve_incomplete(context, words, incomplete)
    # `W ...` takes several
    metavar = str(getattr(asked, "metavar", None)).removesuffix(" ...")
    known = WORDS.get(metavar) or WORDS.get(str(asked.name))
    # a choice, or a path, has words of its own
    is_plain = isinstance(asked, click.Parameter) and (
        type(asked.type).shell_complete is click.ParamType.shell_complete
    )
    if known is None or not is_plain:
        yield from asked.shell_complete(context, incomplete)
        return
    for word, about in known(context.ensure_object(Session)).items():
        if word.startswith(incomplete):
            yield CompletionItem(word, help=about)


# --- what a parameter takes

Words = Mapping[str, str | None]  # with what each means, if that helps


def _windows(session: Session) -> Words:
    """The windows at the ends of the streams: a completion must not take long."""
    found: set[bytes] = set()
    for path in session.root.glob("*.jsonl"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            found |= set(WINDOW.findall(file.read(TAIL)))
    return dict.fromkeys(sorted(name.decode() for name in found))


def _providers(session: Session) -> Words:
    return {name: source.title for name, source in session.registry.sources.items() if source.kind == "status"}


def _sources(session: Session) -> Words:
    return {name: source.title for name, source in session.registry.sources.items() if source.kind != "view"}


def _settings(_session: Session) -> Words:
    from tracker.kernel import Settings

    return {key: setting.about for key, setting in Settings.known().items()}


WORDS: dict[str, Callable[[Session], Words]] = {
    "W": _windows,
    "window": _windows,
    "windows": _windows,
    "PROVIDER": _providers,
    "provider": _providers,
    "providers": _providers,
    "SOURCE": _sources,
    "key": _settings,
}
