"""The settings in force and where each comes from; changing one in its file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from tracker.api import Source
from tracker.kernel import (
    DATA_DIR,
    DEFAULT_DATA_DIR,
    KINDS,
    PERCENT,
    PRICES,
    Key,
    Session,
    Setting,
    TrackerError,
    from_words,
    leaves,
    line_of,
    literal,
    local_zone,
    put,
    replace_file,
    setting_of,
    settings,
    shown,
)
from tracker.settings import file as config_file


@frozen(kw_only=True)
class Held:
    """A setting in force; `origin` is `default`, `file`, `variable` or `option`, `where` which one."""

    setting: Setting
    value: Any
    origin: str = "default"
    where: str | None = None

    @property
    def type(self) -> str:
        return KINDS[self.setting.kind].title

    @property
    def text(self) -> str:
        return literal(self.value) if isinstance(self.value, dict) else shown(self.value)

    def document(self) -> dict[str, Any]:
        """The setting for programs."""
        return {
            "key": self.setting.key,
            "value": self.value,
            "type": self.type,
            "origin": self.origin,
            "where": self.where,
            "default": self.setting.default,
            "about": self.setting.about,
        }

    def line(self, *, verbose: bool) -> str:
        """The setting for people."""
        origin = f"{self.origin} {self.where}" if verbose and self.where else self.origin
        about = f"\n    {self.setting.about}" if verbose else ""
        return f"{self.setting.key} = {self.text}  ({self.type}; {origin}){about}"


def held(session: Session) -> dict[str, Held]:
    """Every setting in force, by key."""
    path = session.config.path  # a file that is wrong anywhere is refused here
    values, text = config_file.read(path) if path else ({}, "")
    given = leaves(values)
    found = {}
    for key, setting in settings().items():
        if key in given:
            number = line_of(text, tuple(key.split(".")))
            where = f"{path} line {number}" if number else str(path)
            found[key] = Held(setting=setting, value=given[key], origin="file", where=where)
        else:
            found[key] = Held(setting=setting, value=setting.default)
    for overriding in (_data_dir(session), _timezone(session)):
        if overriding is not None:
            found[overriding.setting.key] = overriding
    return found


def _data_dir(session: Session) -> Held | None:
    """The data directory has more origins than a file."""
    setting = settings()["data_dir"]
    if session.data_dir is not None:
        return Held(setting=setting, value=str(session.data_dir), origin="option", where="--data-dir")
    if os.environ.get(DATA_DIR):
        return Held(setting=setting, value=os.environ[DATA_DIR], origin="variable", where=DATA_DIR)
    return None if session.config.data_dir else Held(setting=setting, value=str(DEFAULT_DATA_DIR))


def _timezone(session: Session) -> Held | None:
    if session.config.timezone:
        return None
    name = str(local_zone())
    if os.environ.get("TZ", "").lstrip(":") == name:
        return Held(setting=settings()["timezone"], value=name, origin="variable", where="TZ")
    return Held(setting=settings()["timezone"], value=name, where="of this machine")


def look_up(session: Session, key: str) -> Held:
    """A setting in force, or one provider's price."""
    found = held(session)
    prices, (table, _, provider) = found[PRICES], key.partition(".")
    if table == PRICES and provider in prices.value:
        return evolve(prices, value=prices.value[provider])
    if table == PRICES and provider:
        raise TrackerError(f"no price is set for {provider!r}; set one with `tracker config set {key} VALUE`")
    if key in found:
        return found[key]
    try:
        return found[setting_of(key).key]
    except ValueError as error:
        raise TrackerError(f"{error}; `tracker config list` shows the settings") from None


# --- changing one


def change(session: Session, key: str, words: str) -> None:
    """Set one value in the nearest file, or in a new one here; what would not be sound is not written."""
    path = (config_file.find(Path.cwd()) or Path.cwd() / config_file.FILE).resolve()
    place, value = _meant(key, words)
    text = config_file.read(path)[1] if path.exists() else ""
    changed = put(text, place, value)
    if key.startswith(f"{PRICES}."):
        _check_price(session, place[-1], value)
    if changed is None:
        raise TrackerError(
            f"{path}: {key} cannot be set there without changing more than it; edit the file; nothing was written"
        )
    config_file.structure(config_file.parse(changed, path), changed, path)
    if not session.dry_run and changed != text:
        replace_file(path, changed.encode())
    if session.dry_run or session.json:
        session.data({"key": key, "value": value, "path": str(path)})
    else:
        session.say(f"set {key} = {literal(value)} in {path}")
    now = _data_dir(session) if key == "data_dir" and not session.dry_run else None
    if now is not None and now.origin != "default":
        session.warn(f"{now.where} is given and wins: the data directory stays {now.value}")


def _meant(key: str, words: str) -> tuple[Key, Any]:
    """The place and the checked value of a setting."""
    name, _, provider = key.partition(".")
    is_price = name == PRICES and bool(provider)
    try:
        if is_price and "." in provider:
            raise ValueError(f"{key} is a part of a price: set {PRICES}.{provider.partition('.')[0]} as a whole")
        setting = setting_of(PRICES if is_price else key)
        value = from_words(setting, words)
        setting.check({provider: value} if is_price else value)
    except ValueError as error:
        raise TrackerError(f"{error}; nothing was written (`tracker config list` shows the settings)") from None
    return ((PRICES, provider) if is_price else tuple(key.split("."))), value


def _check_price(session: Session, provider: str, value: Any) -> None:
    """Refuse what `--price` would; a provider that is not installed here may be elsewhere."""
    from tracker.kernel import near

    providers = session.registry.providers
    if provider in providers:
        sound_price(providers[provider], value)
    else:
        session.warn(f"no provider {provider!r} is installed; {near(provider, providers)}")


def sound_price(source: Source, value: Any) -> Any:
    """The price as it was given; refused where it says no worth for this provider's unit."""
    from tracker_verdict.worth import parse

    parse(source, value)
    return value


def example(source: Source) -> str:
    """A price as it is written for the provider's unit."""
    meter = source.capacity_meter
    return "200/mo:4.3bars" if meter is None or meter.unit == PERCENT else f"30/mo:2400{meter.unit}"
