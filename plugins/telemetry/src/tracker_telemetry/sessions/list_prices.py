"""List prices of requests: the user's own table, then genai-prices, as of the day of the request, or of its hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from attrs import define, field

from tracker.api import Source
from tracker.kernel import Session, TrackerError
from tracker_telemetry import DAY, blake2b, prices
from tracker_telemetry.prices import Units
from tracker_telemetry.sessions import genai

QUARTER = 900  # seconds: no price changes between the quarters of an hour, and few within a day
FIRST, LAST = ((year - datetime(1970, 1, 1)).days for year in (datetime.min, datetime.max))  # that a date can have
Grain = tuple[int, tuple[int, ...]]  # of sums of requests that have one price
Key = tuple[str | None, float | None, str | None]  # model, day, speed
SHORT = 32_000  # tokens of input: no list has another price for requests up to that
LONG = "(long context)"  # replaces the speed if a bundled table, which has no tiers, has the usual price


@define
class ListPrices:
    """Prices by model, day and speed; `version` says which tables they are from."""

    own: prices.Table | None
    version: str
    _known: dict[Key, Units | genai.Price | None] = field(factory=dict)
    _users: prices.Table | None = None  # the user's part of `own`, which has no tiers either

    @classmethod
    def of_source(cls, session: Session, source: Source) -> ListPrices:
        """With the source's own table after the user's."""
        return cls(prices.table(session, source), genai.version(), users=prices.own_table())

    @classmethod
    def of_view(cls, session: Session, source: Source) -> ListPrices:
        """The same for views, which can do without the table: one that cannot be read is left out with a warning."""
        try:
            return cls.of_source(session, source)
        except TrackerError as error:
            if session.registry.is_strict():
                raise
            users = prices.own_table()
            cure = f"TRACKER_DISABLE_PLUGINS={source.name} turns it off"
            session.warn(f"{str(error).rstrip('.')}; its own prices are left out ({cure})")
        return cls(users, genai.version(), users=users)

    @classmethod
    def of_user(cls) -> ListPrices:
        own, name = prices.own_table(), genai.version()
        if own is None:
            return cls(None, name)
        return cls(own, f"{name}+{blake2b(prices.user_file().read_bytes(), digest_size=4).hexdigest()}")

    def cost(self, model: str | None, ts: float | None, speed: str | None, tokens: genai.Tokens) -> float | None:
        """What a request cost at list price; None if its model has no price."""
        known = self._price(model, ts, speed)
        if known is None:
            return None
        return genai.product(tokens, known) if type(known) is tuple else known.of(tokens)  # type: ignore[union-attr]

    def own_cost(self, model: str, speed: str | None, *tokens: int) -> float | None:
        """What requests cost at the user's own price, whenever they were; None if there is none."""
        units = self._own_units(model, None if speed in prices.USUAL else speed)
        return None if units is None else genai.product(cast("genai.Tokens", tokens), units)

    def list_cost(self, model: str, day: float | None, speed: str | None, *tokens: int) -> float | None:
        """What requests of a day cost of which only totals are known; None if they may have several prices."""
        found = None if day is None or speed is None else self._at(model, day // DAY, speed)
        if isinstance(found, genai.Price):
            found = None if found.has_tiers or found.has_hours else found.units
        return None if found is None else genai.product(cast("genai.Tokens", tokens), found)

    def costs(
        self,
        models: Sequence[str | None],
        times: Sequence[float | None],
        speeds: Sequence[str | None],
        tokens: Sequence[Sequence[int]],
    ) -> list[float | None]:
        """The cost of each of many requests, given by column."""
        days = [at if at is None else at // DAY for at in times]
        keys = [*zip(models, days, speeds, strict=True)]
        found = {key: self._price(key[0], at, key[2]) for key, at in dict(zip(keys, times, strict=True)).items()}
        if any(isinstance(one, genai.Price) and (one.has_tiers or one.has_hours) for one in found.values()):
            rows = zip(models, times, speeds, zip(*tokens, strict=True), strict=True)
            return [self.cost(*row) for row in rows]
        units = {key: one.units if isinstance(one, genai.Price) else one for key, one in found.items()}
        if len({*units.values()}) == 1 and (unit := units[keys[0]]) is not None:
            v, w, x, y, z = unit
            return [a * v + b * w + c * x + d * y + e * z for a, b, c, d, e in zip(*tokens, strict=True)]
        return [
            None if (unit := units[key]) is None else genai.product(counts, unit)
            for key, counts in zip(keys, zip(*tokens, strict=True), strict=True)
        ]

    def units(self, model: str | None, ts: float | None, speed: str | None = None, context: int = 0) -> Units | None:
        """Dollars per token of each kind, of a request with more tokens of input than that; None: there is no price."""
        known = self._price(model, ts, speed)
        listed = self._price(model, ts, LONG) if context and not isinstance(known, genai.Price) else known
        return listed.above(context) if isinstance(listed, genai.Price) else known  # type: ignore[return-value]

    def cached(self, model: str | None, ts: float | None, speed: str | None, tokens: Sequence[int]) -> float | None:
        """What a request's cache reads cost of it, at the rate that its whole context has."""
        known, context = self._price(model, ts, speed), sum(tokens[:4])
        if isinstance(known, genai.Price):
            return known.of((0, context, 0, 0, 0)) * tokens[1] / context if context else 0.0
        return known and tokens[1] * known[1]

    def _price(self, model: str | None, ts: float | None, speed: str | None) -> Units | genai.Price | None:
        known = self._at(model, None if ts is None else ts // DAY, speed)
        if ts is not None and isinstance(known, genai.Price) and known.has_hours:
            return self._at(model, ts // QUARTER * QUARTER / DAY, speed)
        return known

    def _at(self, model: str | None, day: float | None, speed: str | None) -> Units | genai.Price | None:
        """The price at the beginning of a day, or within it."""
        key = model, day, speed
        if key not in self._known:
            at = None if day is None or not FIRST < day < LAST else datetime.fromtimestamp(day * DAY, UTC)
            self._known[key] = self._found(model, at, None if speed in prices.USUAL else speed) if model else None
        return self._known[key]

    def _found(self, model: str, at: datetime | None, speed: str | None) -> Units | genai.Price | None:
        if speed == LONG:
            listed = None if self._users and self._users.found(model) else genai.price(model, at)
            return listed if listed and listed.has_tiers else None
        own = self._own_units(model, speed)
        # if a model has a price of the user's own, no list price for its other speeds is right
        if own is None and (speed is None or self._own_units(model) is None):
            return genai.price(model, at, speed)
        return own

    def grain(self, models: Iterable[str], longest: int) -> Grain:
        """For how many seconds the prices of models hold, whichever day it is, and above which inputs there are others.

        longest: the tokens of input of the largest request.
        """
        names = [model for model in models if model]
        hours = [one.has_hours for model in names if isinstance(one := self._found(model, None, None), genai.Price)]
        tiers = [self._found(model, None, LONG) for model in names] if longest > SHORT else []
        starts = {start for one in tiers if isinstance(one, genai.Price) for start in one.starts if start < longest}
        return QUARTER if any(hours) else DAY, tuple(sorted(starts))

    def used(self) -> dict[str, str | None]:
        """The dates and the sources of the tables that gave a price; of the first one if none did.

        None if there is no table.
        """
        listed = self.version, "genai-prices"
        own = {key: self.own and self.own.found(key[0] or "", key[2]) for key, one in self._known.items() if one}
        tables = {found[1:] if found else listed for found in own.values()}
        if not tables and self.own is None and not genai.is_installed():
            return {"as_of": None, "source": None}
        if not tables:
            tables = {(self.own.as_of, self.own.source) if self.own else listed}
        as_of, source = (", ".join(dict.fromkeys(part)) for part in zip(*sorted(tables), strict=True))
        return {"as_of": as_of, "source": source}

    def rates(self) -> dict[Key, Units | None]:
        """Dollars per token that hold for every request of a model, day and speed; None: there is no price."""
        return {
            key: one.units if isinstance(one, genai.Price) else one
            for key, one in self._known.items()
            if not (isinstance(one, genai.Price) and (one.has_tiers or one.has_hours))
        }

    def learn(self, rates: Mapping[Key, Units | None]) -> None:
        """Take rates that this table gave before: importing it takes 0.15 s."""
        self._known.update(rates)

    def _own_units(self, model: str, speed: str | None = None) -> Units | None:
        """The user's price of each kind of tokens."""
        found = None if self.own is None else self.own.found(model, speed)
        return found and found[0]
