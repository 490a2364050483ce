"""Errors a person can act on: each says what is wrong, where, and what to do."""


class TrackerError(Exception):
    """Base of every error raised on purpose: one `error:` line, and `status` as the exit status."""

    status = 1


class Busy(TrackerError):
    """Another process holds the lock; trying again is the cure (EX_TEMPFAIL)."""

    status = 75


class Interruption(TrackerError):
    """A signal ended a command before its work was done; the exit status is what a shell makes of the signal."""

    def __init__(self, message: str, number: int) -> None:
        self.status = 128 + number
        super().__init__(message)


class Hang(BaseException):
    """Raised in a plugin that took too long. A BaseException, because plugins write `except Exception`."""


class PluginError(TrackerError):
    """A plugin broke the contract; carries which one, at which step, and the cause."""

    MESSAGE_LIMIT = 500  # characters of a cause that are shown; a plugin may raise a megabyte

    def __init__(self, plugin: str, step: str, cause: BaseException | str) -> None:
        self.plugin, self.step = plugin, step
        found = cause if isinstance(cause, str) else _describe(cause)
        end = "..." if len(found) > self.MESSAGE_LIMIT else ""
        self.cause = " ".join(found[: self.MESSAGE_LIMIT].split()) + end
        super().__init__(f"plugin {plugin!r} failed to {step}: {self.cause}")


def _describe(cause: BaseException) -> str:
    try:
        if not isinstance(cause, Exception):
            return str(cause) if isinstance(cause, Hang) else f"raised {cause!r}"
        # attrs puts the attribute and the value after the sentence
        text = str(cause.args[0] if type(cause) in (ValueError, TypeError) and cause.args else cause)
    except BaseException:  # noqa: BLE001  an exception's own __str__ is the plugin's code
        text = "(its message cannot be shown)"
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
