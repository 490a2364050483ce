"""The settings in force and where each comes from; changing one in its file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from tracker.api import Source
from tracker.kernel import Session, Settings, TrackerError, near, replace_file, zone
from tracker_desk.toml_edit import changed, literal, meant, shown

DATA_DIR = "TRACKER_DATA_DIR"
LEDGERS = "ledgers.dir"  # of another feature, which may not be installed
DERIVED = r"'.index/\n.lock\nstate/\n'"  # what git need not have, as `printf` takes it
PRICES = "prices"  # the table of a provider's own settings


@frozen(kw_only=True)
class ConfigValue:
    """A setting in force; `origin` is `default`, `file`, `variable` or `option`, `where` which one."""

    setting: Any
    value: Any
    origin: str
    where: str | None

    @property
    def text(self) -> str:
        return literal(self.value) if isinstance(self.value, dict) else shown(self.value)

    def document(self) -> dict[str, Any]:
        return {
            "key": self.setting.key,
            "value": self.value,
            "type": self.setting.kind.title,
            "origin": self.origin,
            "where": self.where,
            "default": self.setting.default,
            "about": self.setting.about,
        }

    def line(self, *, verbose: bool) -> str:
        origin = f"{self.origin} {self.where}" if verbose and self.where else self.origin
        about = f"\n    {self.setting.about}" if verbose else ""
        return f"{self.setting.key} = {self.text}  ({self.setting.kind.title}; {origin}){about}"


def tolerate(session: Session, report: Callable[[str], object]) -> None:
    """Go on although settings are wrong, for the commands that help to correct them; every other one refuses."""
    path = Settings.find()
    if path is not None:
        session.settings_file = Settings.check(Settings.read(path), path, report)


def held(session: Session) -> dict[str, ConfigValue]:
    """Every setting in force by its key."""
    found = {}
    for key, setting in Settings.known().items():
        value, origin, where = _in_force(session, key, setting.default)
        found[key] = ConfigValue(setting=setting, value=value, origin=origin, where=where)
    return found


def _in_force(session: Session, key: str, default: Any) -> tuple[Any, str, str | None]:
    """The value of a setting, its origin, and which file, variable or option that is."""
    file = session.settings_file
    if key == "data_dir" and session.data_dir is not None:
        return str(session.data_dir), "option", "--data-dir"
    if key == "data_dir" and os.environ.get(DATA_DIR):
        return os.environ[DATA_DIR], "variable", DATA_DIR
    if key in file.values:
        return file.given[key], "file", file.place(key, " line {}")
    if key == "data_dir":
        return str(session.DEFAULT_ROOT), "default", None
    if key == "timezone":
        name = str(zone(None))
        is_given = os.environ.get("TZ", "").lstrip(":") == name
        return (name, "variable", "TZ") if is_given else (name, "default", "of this machine")
    return default, "default", None


def ledgers_above(session: Session, place: Path) -> Path | None:
    """The ledgers' folder in the repository around a place. It holds documents, not streams."""
    folder = held(session).get(LEDGERS)
    known = [one / folder.text for one in (place, *place.parents)] if folder else []
    return next((one for one in known if one.is_dir()), None)


def note_ledgers(session: Session, text: str) -> None:
    """Note what happens to the ledgers; `{}` is their folder."""
    if folder := held(session).get(LEDGERS):
        session.note(f"note: {text.format(folder.text)}")


def look_up(session: Session, key: str) -> ConfigValue:
    """A setting in force, or one provider's price."""
    found = held(session)
    name, provider = _setting_of(key)
    if provider and provider not in found[name].value:
        raise TrackerError(f"No price is set for {provider!r}. Set one with `tracker config set {key} VALUE`.")
    if provider:
        return evolve(found[name], value=found[name].value[provider])
    try:
        return found[Settings.of(key).key]
    except ValueError as error:
        raise TrackerError(f"{error} `tracker config list` shows the settings.") from None


# --- changing one


def change(session: Session, key: str, words: str) -> None:
    """Set one value in the nearest file, or in a new one here; an invalid value is not written."""
    path = (Settings.find() or Path.cwd() / Settings.NAME).resolve()
    value, (_, provider) = _meant(key, words), _setting_of(key)
    # it may be installed elsewhere
    if provider and provider not in session.registry.providers:
        session.warn(f"No provider {provider!r} is installed. {near(provider, session.registry.providers)}")
    if wrong := next(wrong_prices(session, {provider: value} if provider else value if key == PRICES else {}), None):
        raise TrackerError(f"{wrong[1]} Nothing was written.")
    # settings in force are read once
    old = path.parent / held(session)[LEDGERS].text if key == LEDGERS else path
    with contextlib.nullcontext() if session.dry_run else _alone_in(path.parent):
        _change(session, path, key, value)
    if session.dry_run or session.json:
        session.data({"key": key, "value": value, "path": str(path)})
    else:
        session.say(f"set {key} = {literal(value)} in {path}")
    if session.dry_run:
        return
    now, origin, where = _in_force(session, "data_dir", None)
    if key == "data_dir" and origin in ("option", "variable"):
        session.warn(f"{where} takes precedence: the data directory stays {now}")
    if key == "data.track" and value:
        _note_ignored(session)
    new = path.parent / str(value)
    if key == LEDGERS and new != old and any(old.glob("*.csv")):
        to, rows = shlex.quote(str(new)), f"{shlex.quote(str(old))}/*.csv"
        session.note(f"note: the existing rows stay in {old}: `mkdir -p {to} && mv {rows} {to}` moves them")


def _note_ignored(session: Session) -> None:
    """Note how to change the .gitignore that the first write made: tracker never changes it again."""
    path = session.root / ".gitignore"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if "*" in path.read_text(encoding="utf-8").split():
            cure = f"`printf {DERIVED} > {shlex.quote(str(path))}`"
            session.note(f"note: {path} still keeps the records out of git; {cure} keeps out only derived files")


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Make other processes that change settings in the folder wait; the lock leaves no file."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _change(session: Session, path: Path, key: str, value: Any) -> None:
    """Read, change and check the file; written in one step, under a lock that keeps two changes apart."""
    text = Settings.read(path) if path.exists() else ""
    Settings.parse(text, path)
    new = changed(text, key, value)
    # whatever else is wrong there needs a change of its own
    found = Settings.check(new, path, session.warn)
    if _setting_of(key)[0] not in found.values:
        raise TrackerError(f"Cannot set {key} in {path}. Correct the file by hand first. Nothing was written.")
    if not session.dry_run and new != text:
        replace_file(path, new.encode())
    if not session.dry_run and key in found.unconsented():
        # whoever types a value agrees to it
        consent(found, [key])


def consent(settings: Settings, keys: Iterable[str]) -> None:
    """Record that the user agrees to some values, at the end of a file that may hold words of the user's own."""
    import tomli_w

    added, path = [settings.consent(key) for key in keys], Settings.trusted()
    if not added:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone_in(path.parent):
            # earlier versions wrote an empty list, which allows no entries beside it
            known = path.read_text(encoding="utf-8").replace("consent = []\n", "") if path.exists() else ""
            text = "\n".join([known, tomli_w.dumps({"consent": added})]).lstrip()
            Settings.parse(text, path)
            replace_file(path, text.encode())
    except OSError as error:
        raise TrackerError(f"Cannot record your consent in {path}: {error.strerror}.") from error


def trust(session: Session) -> None:
    """Record the user's consent to the entries of the settings file that need it, and show them."""
    found = session.settings_file
    if found.path is None:
        raise TrackerError("There is no tracker.toml here or in a folder above. Nothing needs your consent.")
    reasons = found.unconsented()
    if not session.dry_run:
        consent(found, reasons)
    if session.json or session.dry_run:
        session.data({"path": str(found.path), "trusted": {key: found.values[key] for key in reasons}})
        return
    for key, reason in reasons.items():
        session.say(f"trusted {key} = {literal(found.values[key])} in {found.path} ({reason})")
    if not reasons:
        session.say(f"nothing in {found.path} needs your consent")


def _meant(key: str, words: str) -> Any:
    """The checked value of a setting."""
    name, provider = _setting_of(key)
    try:
        if "." in provider:
            raise ValueError(f"{key} is only part of a price. Set {PRICES}.{provider.partition('.')[0]} as a whole.")
        setting = Settings.of(name)
        value = meant(setting.kind.title, words)
        setting._replace(fits=setting.fits_new or setting.fits).check({provider: value} if provider else value)
    except ValueError as error:
        raise TrackerError(f"{error} Nothing was written. `tracker config list` shows the settings.") from None
    return value


def _setting_of(key: str) -> tuple[str, str]:
    """A key's setting, and the provider if the key is the price of one."""
    table, _, provider = key.partition(".")
    return (PRICES, provider) if table == PRICES and provider else (key, "")


def example(source: Source) -> str:
    """A price as it is written for the provider's unit."""
    meter = source.capacity_meter
    return "200/mo:4.3bars" if meter is None or meter.unit == "pp" else f"30/mo:2400{meter.unit}"


def wrong_prices(session: Session, prices: Mapping[str, Any]) -> Iterator[tuple[Source, str]]:
    """The providers whose price is not in their unit, and what is wrong with it."""
    for name, price in prices.items():
        if (source := session.registry.providers.get(name)) and (wrong := wrong_unit(source, price)):
            yield source, wrong


def wrong_unit(source: Source, price: Any) -> str | None:
    """What is wrong with a price that is not in the provider's unit: bars, or what it counts."""
    meter = source.capacity_meter
    unit = "bars" if meter is None or meter.unit == "pp" else meter.unit
    given = list(price) if isinstance(price, dict) else re.findall(r"[a-z]+$", str(price).strip().lower())
    if unit.rstrip("s") in (one.rstrip("s") for one in given):
        return None
    return f"Invalid price {price!r} of {source.name}. Expected {unit}, such as {example(source)!r}."
