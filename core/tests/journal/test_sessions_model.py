"""Random sessions in several lanes, with clock jumps and crashes, against a model that is simple enough to be right."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from attrs import define, field
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

START = datetime(2026, 1, 10, 8, tzinfo=UTC)
BUFFER = timedelta(minutes=5)
LANES = ("", "main", "sub1")
WINDOWS = ("W0-01", "W0-02", "W0-09")
METERS = {"toy": "fuel", "tally": "calls"}


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@define(eq=False)
class Shot:
    """A capture."""

    provider: str
    window: str
    phase: str
    lane: str
    at: datetime
    used: int
    reset: datetime | None
    place: int
    record_id: str = ""
    removed: bool = False

    @property
    def order(self) -> tuple[datetime, int]:
        return self.at, self.place


@define(eq=False)
class Oddity:
    """An anomaly; it is open while its captures stand and no capture or deletion that closed it does."""

    kind: str
    shots: list[Shot]
    provider: str
    window: str
    closed_by: list[Shot | None] = field(factory=list)  # None: a deletion, which always stands

    @property
    def is_open(self) -> bool:
        stands = not any(shot.removed for shot in self.shots)
        return stands and not any(by is None or not by.removed for by in self.closed_by)


def pair_of(shots: Iterable[Shot]) -> tuple[Shot | None, Shot | None]:
    """The latest AFTER, and the latest BEFORE that is not later, of its lane where that has one."""
    known = list(shots)
    afters = sorted((one for one in known if one.phase == "after"), key=lambda one: one.order)
    befores = sorted((one for one in known if one.phase == "before"), key=lambda one: one.order)
    if not afters:
        return (befores[-1] if befores else None), None
    earlier = [one for one in befores if one.at <= afters[-1].at]
    own = [one for one in earlier if one.lane == afters[-1].lane]
    return next(reversed(own or earlier), None), afters[-1]


@define
class Model:
    """What a data directory should say."""

    shots: list[Shot] = field(factory=list)
    oddities: list[Oddity] = field(factory=list)
    finalized: dict[str, dict[str, tuple[Shot | None, Shot | None]]] = field(factory=dict)
    removals: list[Shot] = field(factory=list)

    def group(self, provider: str, window: str) -> list[Shot]:
        return [one for one in self.shots if not one.removed and (one.provider, one.window) == (provider, window)]

    def newest(self, provider: str, lane: str) -> Shot | None:
        own = [one for one in self.shots if not one.removed and (one.provider, one.lane) == (provider, lane)]
        return max(own, key=lambda one: one.order, default=None)

    def choose(self, provider: str, lane: str, phase: str) -> str | None:
        """The window of a capture that names none."""
        newest = self.newest(provider, lane)
        if phase == "after":
            return newest.window if newest and newest.phase == "before" else None
        if newest is not None:
            return newest.window if newest.phase == "before" else following(newest.window)
        others = [self.newest(name, lane) for name in METERS if name != provider]
        opened = [one for one in others if one and one.phase == "before"]
        return max(opened, key=lambda one: one.at).window if opened else "W0-01"

    def is_late(self, provider: str, at: datetime, reset: datetime | None) -> bool:
        stored = [one.reset for one in self.shots if not one.removed and one.provider == provider]
        return any(found is not None and found <= at < found + BUFFER for found in (*stored, reset))

    def store(self, new: Shot, *, is_late: bool) -> None:
        """Add a capture, with what it shows and what it settles."""
        before_it = [
            one for one in self.oddities if one.is_open and (one.provider, one.window) == (new.provider, new.window)
        ]
        group = self.group(new.provider, new.window)
        self.shots.append(new)
        group.append(new)
        if is_late:
            self.raise_("late-after", [new], new)
        if (turned := turned_pair(new, group)) is not None:
            self.raise_("clock-skew", list(turned), new)
        before, after = pair_of(group)
        if new in (before, after) and fell(before, after):
            self.raise_("negative-delta", [before, after], new)
        own = pair_of(one for one in group if one.lane == new.lane)
        counting = {id(one) for one in (*own, before, after) if one}
        for oddity in before_it:
            if any(id(shot) not in counting for shot in oddity.shots):
                oddity.closed_by.append(new)

    def raise_(self, kind: str, shots: list[Any], like: Shot) -> None:
        self.oddities.append(Oddity(kind, shots, like.provider, like.window))

    def delete(self, provider: str, window: str | None, phase: str | None, lane: str, position: int) -> Shot | None:
        standing = [
            one
            for one in self.shots
            if not one.removed
            and one.provider == provider
            and window in (None, one.window)
            and phase in (None, one.phase)
        ]
        own = [one for one in standing if one.lane == lane]
        chosen = sorted(own or (standing if window else []), key=lambda one: one.order, reverse=True)
        if len(chosen) < position:
            return None
        gone = chosen[position - 1]
        opened = [one for one in self.oddities if one.is_open]
        for oddity in opened:
            if gone in oddity.shots:
                oddity.closed_by.append(None)
        gone.removed = True
        self.removals.append(gone)
        before, after = pair_of(self.group(provider, gone.window))
        left = [one for one in self.oddities if one.is_open]
        said = any(one.kind == "negative-delta" and one.shots == [before, after] for one in left)
        if fell(before, after) and not said:
            self.raise_("negative-delta", [before, after], gone)
        return gone

    def complete(self, window: str) -> bool:
        pairs = {name: pair_of(group) for name in METERS if (group := self.group(name, window))}
        ready = pairs and all(before and after and not fell(before, after) for before, after in pairs.values())
        if ready:
            self.finalized[window] = pairs
        return bool(ready)


def following(window: str) -> str:
    return f"W0-{int(window[3:]) + 1:02d}"


def fell(before: Shot | None, after: Shot | None) -> bool:
    return before is not None and after is not None and after.used < before.used


def turned_pair(new: Shot, group: list[Shot]) -> tuple[Shot, Shot] | None:
    """A BEFORE and the earlier AFTER that it has, one of them new."""
    own = [one for one in group if one.lane == new.lane]
    known = own if {one.phase for one in own} == {"before", "after"} else group
    befores = [one for one in known if one.phase == "before"]
    after = new if new.phase == "after" else pair_of(known)[1]
    if after is None or not befores or any(one.at <= after.at for one in befores):
        return None
    return (new if new.phase == "before" else max(befores, key=lambda one: one.order)), after


def machine(program: Any, fresh: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """The commands as rules, each on the real program and on the model."""

    class Sessions(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.program, self.model, self.clock = fresh(), Model(), START
            self.files: dict[str, bytes] = {}
            self.dice = random.Random(5)

        # --- rules

        @rule(minutes=st.sampled_from([1, 1, 1, 3, 30, 600, -2, -90]))
        def the_clock_goes_on_or_jumps(self, minutes: int) -> None:
            self.clock += timedelta(minutes=minutes)

        @rule(
            verb=st.sampled_from(["start", "end", "end", "cross"]),
            provider=st.sampled_from(sorted(METERS)),
            lane=st.sampled_from(LANES),
            window=st.sampled_from([None, None, *WINDOWS]),
            used=st.integers(0, 9),
            reset=st.sampled_from([None, None, None, -3, 2, 40]),
            force=st.booleans(),
        )
        def capture(
            self, verb: str, provider: str, lane: str, window: str | None, used: int, reset: int | None, force: bool
        ) -> None:
            phases = {"start": ["before"], "end": ["after"], "cross": ["after", "before"]}[verb]
            at = self.clock
            when = at + timedelta(minutes=reset) if reset and provider == "toy" else None
            words = ["alias", verb, provider, "--stdin", "--captured-at", iso(at), *(["--force"] if force else [])]
            words += ["--window", window] if window else []
            pane = str(used) if provider == "tally" else f"fuel {used}%{f' reset {iso(when)}' if when else ''}"
            done = self.program("--json", *words, stdin=pane, lane=lane)
            assert done.error is None, repr(done.error)
            model = self.model
            chosen = window or model.choose(provider, lane, phases[0])
            late = "after" in phases and model.is_late(provider, at, when)
            has_before = chosen is not None and any(one.phase == "before" for one in model.group(provider, chosen))
            if chosen is None or ("after" in phases and not has_before) or (late and not force):
                assert done.status == 1, done.out
                self.check_window(chosen or "W0-01")
                return
            said = json.loads(done.ok())
            for phase, record in zip(phases, said if isinstance(said, list) else [said], strict=True):
                here = chosen if phase == phases[0] else following(chosen)
                shot = Shot(provider, here, phase, lane, at, used, when, len(model.shots), record["record_id"])
                model.store(shot, is_late=late and phase == "after")
                assert (record["window"], record["phase"]) == (here, phase)
            for here in {chosen, following(chosen)} if len(phases) > 1 else {chosen}:
                self.settled(here, provider, lane)

        @rule(
            provider=st.sampled_from(sorted(METERS)),
            lane=st.sampled_from(LANES),
            window=st.sampled_from([None, *WINDOWS]),
            phase=st.sampled_from([None, "before", "after"]),
            position=st.sampled_from([1, 1, 1, 2]),
        )
        def delete(self, provider: str, lane: str, window: str | None, phase: str | None, position: int) -> None:
            words = ["alias", "delete", provider, "--index", str(position)]
            words += ["--window", window] if window else []
            words += ["--phase", phase] if phase else []
            done = self.program("--json", *words, lane=lane)
            assert done.error is None, repr(done.error)
            gone = self.model.delete(provider, window, phase, lane, position)
            assert done.status == (0 if gone else 1), done.err
            if gone:
                assert json.loads(done.out)["tombstone"] == gone.record_id
                used = self.model.finalized.get(gone.window, {}).get(provider, ())
                assert ("is stale until" in done.err) is (gone in used)
                self.settled(gone.window, provider, lane)

        @rule(window=st.sampled_from(WINDOWS), features=st.integers(0, 3))
        def complete(self, window: str, features: int) -> None:
            words = ["complete", "--window", window, "--toy-features", str(features), "--tally-features", "1"]
            done = self.program("--json", *words)
            assert done.error is None, repr(done.error)
            ready = self.model.complete(window)
            assert done.status == (0 if ready else 1), done.err

        @rule(lane=st.sampled_from(LANES), window=st.sampled_from(WINDOWS), used=st.integers(0, 9))
        def override(self, lane: str, window: str, used: int) -> None:
            words = ["override", "toy", "--window", window, "--phase", "after", "--fuel-pct", str(used), "--force"]
            done = self.program("--json", *words, "--captured-at", iso(self.clock), lane=lane)
            late = self.model.is_late("toy", self.clock, None)
            place = len(self.model.shots)
            shot = Shot("toy", window, "after", lane, self.clock, used, None, place, json.loads(done.ok())["record_id"])
            self.model.store(shot, is_late=late)
            self.settled(window, "toy", lane)

        @precondition(lambda self: self.model.shots)
        @rule(how=st.sampled_from(["torn", "index", "state", "orphan"]))
        def a_crash_leaves(self, how: str) -> None:
            """What a killed process, or a careless hand, leaves behind."""
            root = self.program.root
            if how == "torn":
                path = self.dice.choice(sorted(root.glob("*.jsonl")))
                with path.open("ab") as file:
                    file.write(b'{"record_id": "half a li')
            elif how == "index":
                shutil.rmtree(root / ".index", ignore_errors=True)
            elif how == "state":
                path = self.dice.choice(sorted(root.glob("state/**/*.json")))
                path.write_bytes(self.dice.choice([b"", b"{}", b"garbage", b'{"window": "W7"}']))
            else:  # rows of a command that was stopped before it stored its capture
                self.program("preview").ok()  # which sets a torn line aside
                row = {"record_id": f"{self.dice.getrandbits(128):032x}", "window": "W0-01", "provider": "toy"}
                about = {"kind": "negative-delta", "records": ["f" * 32], "captured_at": iso(self.clock)}
                with (root / "anomalies.jsonl").open("ab") as file:
                    file.write(json.dumps(row | about).encode() + b"\n")

        # --- what must hold

        def settled(self, window: str, provider: str, lane: str) -> None:
            """Nothing earlier changed; the window and the lane are as the model says."""
            files = self.program.files()
            for name, data in self.files.items():
                assert files[name].startswith(data), name
            self.files = {name: data for name, data in files.items() if data.endswith(b"\n")}
            self.check_window(window)
            if (newest := self.model.newest(provider, lane)) is not None:
                state = self.program.state(provider, lane)
                assert (state["record_id"], state["window"], state["open"]) == (
                    newest.record_id,
                    newest.window,
                    newest.phase == "before",
                )

        def check_window(self, window: str) -> None:
            model = self.model
            if not any(shot.window == window for shot in model.shots):
                return
            found = json.loads(self.program("--json", "window-audit", "--window", window).ok())
            groups = {name: group for name in METERS if (group := model.group(name, window))}
            assert set(found["providers"]) == set(groups)
            for name, group in groups.items():
                shown = found["providers"][name]
                assert ids(shown["canonical"]) == tuple(one and one.record_id for one in pair_of(group))
                for lane in {one.lane for one in group}:
                    own = pair_of(one for one in group if one.lane == lane)
                    assert ids(shown["lanes"][lane]) == tuple(one and one.record_id for one in own)
                counts = {phase: sum(one.phase == phase for one in group) for phase in ("before", "after")}
                assert shown["entries"] == {phase: count for phase, count in counts.items() if count}
                used = model.finalized.get(window, {}).get(name)
                assert shown["stale"] is (used is not None and used != pair_of(group))
            told = sorted((one["kind"], one["open"]) for one in found["anomalies"])
            assert told == sorted((one.kind, one.is_open) for one in model.oddities if one.window == window)
            removed = {one["removed"] for one in found["tombstones"]}
            assert removed == {one.record_id for one in model.removals if one.window == window}

        def teardown(self) -> None:
            if not hasattr(self, "model") or not self.model.shots:
                return
            model, windows = self.model, sorted({shot.window for shot in self.model.shots})
            for window in windows:
                self.check_window(window)
            shown = json.loads(self.program("--json", "preview").ok())
            assert [one["id"] for one in shown["windows"] if one["finalized"]] == sorted(model.finalized)
            assert len(shown["anomalies"]) == sum(one.is_open for one in model.oddities)
            assert self.stale(shown) == {
                (window, name)
                for window, pairs in model.finalized.items()
                for name, pair in pairs.items()
                if pair != pair_of(model.group(name, window))
            }
            shutil.rmtree(self.program.root / ".index", ignore_errors=True)
            assert json.loads(self.program("--json", "preview").ok()) == shown
            for path in self.program.root.glob("state/**/*.json"):
                path.unlink()
            report = json.loads(self.program("--json", "doctor", "--fix").ok())
            checks = {one["check"] for one in report["findings"]}
            assert checks <= {"state", "order", "reference", "torn", "permissions"}
            assert json.loads(self.program("--json", "doctor").ok())["ok"]

        @staticmethod
        def stale(shown: Any) -> set[tuple[str, str]]:
            return {(window, one["provider"]) for one in shown["providers"] for window in one["stale"]}

    return Sessions


def ids(pair: Any) -> tuple[str | None, str | None]:
    return tuple(pair[phase] and pair[phase]["record_id"] for phase in ("before", "after"))  # type: ignore[return-value]


def test_random_sessions_agree_with_the_model(program: Any, often: Callable[[int, int], int]) -> None:
    from attrs import evolve

    count = iter(range(1_000_000))

    def fresh() -> Any:
        return evolve(program, root=program.root / str(next(count)))

    run_state_machine_as_test(
        machine(program, fresh),
        settings=settings(
            max_examples=often(25, 1500),
            stateful_step_count=often(25, 40),
            deadline=None,
            derandomize=often(1, 0) == 1,
            phases=[Phase.generate, *([Phase.shrink] if often(0, 1) else [])],  # to shrink takes minutes
            report_multiple_bugs=False,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
