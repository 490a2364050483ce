"""A first `tracker.toml`: every setting with its purpose, after asking for prices, which have no default."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from tracker.api import Source
from tracker.kernel import Session, Settings, TrackerError, replace_file, zone
from tracker_desk.config_values import PRICES, consent, example, wrong_unit
from tracker_desk.prompts import asked
from tracker_desk.toml_edit import literal, spelled

TITLE = "# Settings of tracker. A missing line means the default; `tracker config list` shows the values in force.\n"


def initialize(session: Session, *, ask: bool, force: bool) -> None:
    """Write the file into the working directory. With `force`, replace one that is there."""
    path = Path.cwd() / Settings.NAME
    if path.is_symlink() or path.exists():
        if not force:
            cure = "Use `tracker config set KEY VALUE` to change one setting, or --force to replace the file."
            raise TrackerError(f"{path} exists. {cure}")
    elif (outer := Settings.find(path.parent)) is not None:
        session.note(f"note: {outer} applied here until now; the new file replaces it for this folder")
    values = _defaults(session)
    if ask:
        values |= _asked(session)
    text = compose(values, session.registry.providers)
    found = Settings.check(text, path)
    if session.dry_run:
        click.echo(text, nl=False)
        return
    # in one step: half a file, as a full disk leaves it, would replace the settings of the folders above
    replace_file(path.resolve(), text.encode(), was=None if force else b"")
    if reasons := found.unconsented():
        # whoever answers the questions agrees to the answers
        consent(found, reasons)
    if session.json:
        session.data({"path": str(path), "settings": values})
    else:
        session.say(f"wrote {path}")


def _defaults(session: Session) -> dict[str, Any]:
    """What a file starts from: the defaults, this machine's zone, and a data directory given as an option."""
    values = {key: setting.default for key, setting in Settings.known().items() if key != PRICES}
    values["data_dir"] = str(session.data_dir or session.DEFAULT_ROOT)
    name = str(zone(None))
    try:
        values["timezone"] = Settings.known()["timezone"].check(name)
    except ValueError:  # an offset that has no name
        values["timezone"] = None
    return values


def _asked(session: Session) -> dict[str, Any]:
    """What has no good default: the prices of the subscriptions."""
    prices = {}
    for name, source in session.registry.providers.items() if PRICES in Settings.known() else ():
        about = f"What does {source.title} cost, as PRICE/mo:WHAT-IT-GIVES, such as {example(source)}?"
        about += " Press Enter if you do not know"
        take = partial(_take_price, source)
        price = asked(partial(click.prompt, about, default="", show_default=False, value_proc=take, err=True))
        if price:
            prices[name] = price
    return {PRICES: prices} if prices else {}


def _take_price(source: Source, words: str) -> str:
    price, setting = words.strip(), Settings.known()[PRICES]
    try:
        if price:
            setting._replace(fits=setting.fits_new or setting.fits).check({source.name: price})
        is_sound = not (price and wrong_unit(source, price))
    except ValueError:
        is_sound = False
    if not is_sound:
        raise click.BadParameter(f"Invalid price {price!r:.60}. Expected one such as {example(source)}.")
    return price


def compose(values: Mapping[str, Any], providers: Mapping[str, Source]) -> str:
    """The file: a comment above every setting; a setting without a value is commented out."""
    table, lines = "", [TITLE]
    for key, setting in Settings.known().items():
        section, _, name = key.rpartition(".")
        if key == PRICES:
            lines.append(_prices(setting.about, values.get(PRICES) or {}, providers))
            continue
        if section != table:
            lines.append(f"[{section}]\n")
            table = section
        value = values.get(key)
        lines.append(f"# {setting.about}\n{'# ' if value is None else ''}{name} = {literal(_plain(value))}\n")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """A value as people write it: `5`, not `5.0`."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "" if value is None else value


def _prices(about: str, prices: Mapping[str, Any], providers: Mapping[str, Source]) -> str:
    rows = [f"{spelled(name)} = {literal(price)}" for name, price in prices.items()]
    others = [source for name, source in providers.items() if name not in prices]
    rows += [f"# {spelled(source.name)} = {literal(example(source))}" for source in others]
    return "\n".join([f"[{PRICES}]", f"# {about}, as `--price` takes it", *rows, ""])
