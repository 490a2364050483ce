"""Many near-identical cases as one test: a suite of a few hundred tests is read, one of thousands is not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


def together(names: str | Iterable[str], values: Iterable[Any], ids: Any = None) -> Callable[[Test], Test]:
    """Like `pytest.mark.parametrize`, but as one test; a failure names its case."""
    single = isinstance(names, str) and "," not in names
    taken = [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]
    rows = list(values)

    def decorate(test: Test) -> Test:
        signature = inspect.signature(test)

        @wraps(test)
        def run(*arguments: Any, **fixtures: Any) -> None:
            for row in rows:
                given = dict(zip(taken, [row] if single else row, strict=True))
                try:
                    test(*arguments, **fixtures, **given)
                except BaseException as error:
                    error.add_note(f"case: {ids(row) if callable(ids) else repr(row)[:300]}")
                    raise

        kept = [one for name, one in signature.parameters.items() if name not in taken]
        run.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return decorate


def each_screen(check: Test) -> Test:
    """A check of a conformance class that is run with every screen of the class."""

    def run(self: Any, registry: Any, info: Any) -> None:
        for screen in self.all_screens():
            check(self, registry, info, screen)

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run  # type: ignore[return-value]
