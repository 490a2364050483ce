"""Shell completion: what is offered. Nothing is written, not even the index, and nothing is said beside it."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from tracker.session import Session

VARIABLE = "_TRACKER_COMPLETE"
PROGRAM = "tracker"
WINDOW = re.compile(rb'"window":\s*"([A-Za-z0-9._-]{1,64})"')
TAIL = 4 << 20  # bytes of a stream that are read


def answer(root: click.Command) -> None:
    """Print the completions that a shell asks for; with any trouble none, since nobody could read about it."""
    shell, _, request = os.environ[VARIABLE].partition("_")
    kind = get_completion_class(shell)
    if kind is None or request != "complete":
        return
    lines, nowhere = [], io.StringIO()
    with contextlib.suppress(Exception), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        asked = kind(root, {}, PROGRAM, VARIABLE)
        words, incomplete = asked.get_completion_args()
        words = [word for word in words if word != "="]  # bash gives `--window=W0` as three words, others as one
        option, equals, _ = incomplete.partition("=")
        for item in asked.get_completions(words, incomplete):
            item.value = f"{option}=" * (option.startswith("--") and bool(equals)) + item.value
            lines.append(asked.format_completion(item))
    click.echo("\n".join(lines))


# --- what a parameter takes

Words = Mapping[str, str]  # with what each means, where that helps


class Known(click.types.StringParamType):
    """A text for which there are good suggestions."""

    def __init__(self, suggest: Callable[[Session, click.Context], Iterable[str] | Words]) -> None:
        self.suggest = suggest

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from tracker.session import Session

        found = self.suggest(ctx.ensure_object(Session), ctx)
        about = found if isinstance(found, Mapping) else {}
        return [CompletionItem(word, help=about.get(word)) for word in found if word.startswith(incomplete)]


def with_suggestions(parameters: Iterable[click.Parameter]) -> None:
    """Give every text parameter whose placeholder or name is known its suggestions: no command needs to."""
    for one in parameters:
        suggest = SUGGESTIONS.get(str(one.metavar)) or SUGGESTIONS.get(str(one.name))
        if suggest is not None and one.type is click.STRING:
            one.type = Known(suggest)


def _windows(session: Session, _context: click.Context) -> Iterable[str]:
    """The windows at the ends of the streams, `W0-9` before `W0-10`: a completion must not take long."""
    from tracker.journal.index import natural

    found: set[bytes] = set()
    for path in session.root.glob("*.jsonl"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            found |= set(WINDOW.findall(file.read(TAIL)))
    return sorted((name.decode() for name in found), key=natural)


def _lanes(session: Session, _context: click.Context) -> Iterable[str]:
    folder = session.root / "state"
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _providers(session: Session, _context: click.Context) -> Words:
    return {name: source.title for name, source in session.registry.sources.items() if source.kind == "status"}


def _sources(session: Session, _context: click.Context) -> Words:
    return {name: source.title for name, source in session.registry.sources.items() if source.kind != "view"}


def _scopes(session: Session, context: click.Context) -> Iterable[str]:
    sources = session.registry.sources
    words = [context.params.get("name"), *context.args]  # click leaves an argument there if an option lacks its value
    return next((sources[word].scopes for word in words if word in sources), ())


def _settings(_session: Session, _context: click.Context) -> Words:
    from tracker.settings.file import Settings

    return {key: setting.about for key, setting in Settings.known().items()}


SUGGESTIONS: dict[str, Callable[[Session, click.Context], Iterable[str] | Words]] = {
    "W": _windows,
    "window": _windows,
    "windows": _windows,
    "agent": _lanes,
    "PROVIDER": _providers,
    "provider": _providers,
    "providers": _providers,
    "SOURCE": _sources,
    "SCOPE": _scopes,
    "key": _settings,
}
