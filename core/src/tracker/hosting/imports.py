"""What the import of a plugin changes for the whole process is restored and named, and it cannot end the process."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from typing import Any, NoReturn

# made once: an enumeration computes the name of a member each time
HANDLERS = {f"the handler of {one.name}": (one, partial(signal.signal, one)) for one in signal.Signals}


@contextmanager
def restored(report: Callable[[str], object]) -> Iterator[None]:
    """Put back what an import changes, and report the names of that; `os._exit` ends the import alone."""
    changed, parts, leave, process = list[str](), _process(), os._exit, os.getpid()
    # 800 names, copied and compared by the interpreter; the journal would use what a plugin put in their place
    modules = [(module, dict(vars(module))) for module in (os, builtins, time, signal)]

    def refuse(status: int) -> NoReturn:
        if os.getpid() != process:
            leave(status)
        raise SystemExit(status)

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = leave
        for module, names in modules:
            if (own := vars(module)) != names:
                changed += [f"{module.__name__}.{name}" for name in names if own.get(name) is not names[name]]
                own.update(names)
        now = _process()
        for name, (value, write) in parts.items():
            # entries added at the end are harmless: packages such as `six` add an importer for what nobody else finds
            if value != (now[name][0][: len(value)] if isinstance(value, list) else now[name][0]):
                write(value)
                changed.append(name)
        if changed:
            report(", ".join(changed))


def _process() -> dict[str, tuple[Any, Callable[[Any], object]]]:
    """What belongs to the whole process: each part's value by its name, and the call that puts it back."""
    os.umask(mask := os.umask(0o077))
    lists = ("path", "meta_path", "path_hooks", "argv")
    handlers = HANDLERS if current_thread() is main_thread() else {}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return {
        **{f"sys.{name}": (list(getattr(sys, name)), partial(setattr, sys, name)) for name in lists},
        "sys.stderr": (sys.stderr, partial(setattr, sys, "stderr")),
        "the umask": (mask, os.umask),
        "the working directory": (os.stat(".")[1:3], id),  # a guard goes back to it, also if it is gone
        "environment variables": (dict(os.environb), _set_environment),
        "the recursion limit": (sys.getrecursionlimit(), sys.setrecursionlimit),
        "the signal mask": (blocked, partial(signal.pthread_sigmask, signal.SIG_SETMASK)),
        **{name: (signal.getsignal(one), write) for name, (one, write) in handlers.items()},
    }


def _set_environment(kept: dict[bytes, bytes]) -> None:
    os.environb.clear()
    os.environb.update(kept)
