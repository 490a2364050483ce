"""Whose quota the requests of session logs were made on: the client's vendor's, or the provider's of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from tracker.api import Source
from tracker.kernel import Session


def provider_of(session: Session, source: Source) -> str:
    """Whose log it is: the provider that its name equals or begins with, else its own name."""
    parts, providers = source.name.split("-"), session.registry.providers
    names = ("-".join(parts[:size]) for size in range(len(parts), 0, -1))  # the longest first
    return next((name for name in names if name in providers), source.name)


def by_model(session: Session, source: Source) -> Callable[[str | None], str]:
    """Whose a log's requests of each model are: the one other provider's that declares it, else the log's own.

    A client may work on another vendor's plan, as Claude Code does on GLM's. The models of its vendor stay the log's.
    """
    own, words = provider_of(session, source), _words(session)
    kept = tuple(part.lower() for part in source.models)

    @cache
    def owner(model: str | None) -> str:
        name = (model or "").lower()
        found = [provider for provider, parts in words.items() if any(map(name.__contains__, parts))]
        return found[0] if len(found) == 1 and not any(map(name.__contains__, kept)) else own

    return owner if words else lambda _model: own


def owners(session: Session, sources: Sequence[Source]) -> list[str]:
    """The providers that may have requests in some logs."""
    return sorted({*(provider_of(session, source) for source in sources), *(_words(session) if sources else ())})


def sources_of(session: Session, sources: Sequence[Source], provider: str | None) -> list[Source]:
    """The logs that may hold requests of a provider; None is any."""
    return [source for source in sources if provider is None or provider in owners(session, [source])]


def _words(session: Session) -> Mapping[str, Sequence[str]]:
    """What the names of the models hold that providers declare, in lower case; an empty text is none."""
    declared = ((name, source.models) for name, source in session.registry.providers.items() if source.models)
    return {name: [part.lower() for part in models if part] for name, models in declared}
