"""Random sessions in several lanes, with clock jumps and crashes, against a model that is simple enough to be right."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from attrs import define, evolve, field
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

START = datetime(2026, 1, 10, 8, tzinfo=UTC)
BUFFER = timedelta(minutes=5)
LANES = ("", "", "sub1")
WINDOWS = ("W0-01", "W0-01", "W0-02")  # few, so that captures meet
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


STEPS: dict[str, dict[str, list[Any]]] = {  # what may happen, with the values of its arguments, likely ones twice
    "capture": {
        "verb": ["start", "end", "end", "end", "cross"],
        "provider": ["toy", "toy", "toy", "tally"],
        "lane": [*LANES],
        "window": [None, *WINDOWS],
        "used": [*range(10)],
        "reset": [None] * 8 + [-3, 2, 40],
        "force": [True, False],
        "minutes": [7, 7, 7, 1, 0, 600, -2, -90],
    },
    "delete": {
        "provider": ["toy", "toy", "tally"],
        "lane": [*LANES],
        "window": [None, *WINDOWS],
        "phase": [None, "before", "after"],
        "position": [1, 1, 1, 2],
    },
    "complete": {"window": [*WINDOWS], "features": [0, 1, 3]},
    "override": {"lane": [*LANES], "window": [*WINDOWS], "used": [*range(10)]},
    "a_crash_leaves": {"how": ["torn", "index", "state", "orphan"]},
}
OFTEN = ["capture"] * 6 + ["delete"] * 2 + ["complete", "override", "a_crash_leaves"]


class Session:
    """The commands as steps, each on the real program and on the model; `met` counts what has come about."""

    def __init__(self, program: Any, met: Counter[str]) -> None:
        self.program, self.model, self.clock, self.met = program, Model(), START, met
        self.files: dict[str, bytes] = {}
        self.dice = random.Random(5)
        for lane in sorted(set(LANES)):
            self.capture("start", "toy", lane, "W0-01", 5, None, False, 1)

    def step(self, name: str, words: dict[str, Any]) -> None:
        getattr(self, name)(**words)
        self.nothing_earlier_changed()

    # --- steps

    def capture(
        self,
        verb: str,
        provider: str,
        lane: str,
        window: str | None,
        used: int,
        reset: int | None,
        force: bool,
        minutes: int,
    ) -> None:
        phases = {"start": ["before"], "end": ["after"], "cross": ["after", "before"]}[verb]
        self.clock += timedelta(minutes=minutes)  # it goes on, stands, or jumps
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

    def complete(self, window: str, features: int) -> None:
        words = ["complete", "--window", window, "--toy-features", str(features), "--tally-features", "1"]
        done = self.program("--json", *words)
        assert done.error is None, repr(done.error)
        ready = self.model.complete(window)
        assert done.status == (0 if ready else 1), done.err

    def override(self, lane: str, window: str, used: int) -> None:
        words = ["override", "toy", "--window", window, "--phase", "after", "--fuel-pct", str(used), "--force"]
        done = self.program("--json", *words, "--captured-at", iso(self.clock), lane=lane)
        late = self.model.is_late("toy", self.clock, None)
        place = len(self.model.shots)
        shot = Shot("toy", window, "after", lane, self.clock, used, None, place, json.loads(done.ok())["record_id"])
        self.model.store(shot, is_late=late)
        self.settled(window, "toy", lane)

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

    def nothing_earlier_changed(self) -> None:
        files = self.program.files()
        for name, data in self.files.items():
            assert files[name].startswith(data), name
        self.files = {name: data for name, data in files.items() if data.endswith(b"\n")}

    def settled(self, window: str, provider: str, lane: str) -> None:
        """The window and the lane are as the model says."""
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

    def end(self) -> None:
        """Everything is as the model says, with a new index and with rebuilt states, too."""
        model, windows = self.model, sorted({shot.window for shot in self.model.shots})
        for one in model.oddities:
            self.met[f"{one.kind} {'open' if one.is_open else 'closed'}"] += 1
            self.met["closed by a capture"] += any(one.closed_by)
            self.met["opened again"] += one.is_open and bool(one.closed_by)
        self.met["finalized"] += len(model.finalized)
        self.met["another lane's pair"] += any(
            len({one.lane for one in model.group("toy", window)}) > 1 for window in windows
        )
        for window in windows:
            self.check_window(window)
        shown = json.loads(self.program("--json", "preview").ok())
        assert [one["id"] for one in shown["windows"] if one["finalized"]] == sorted(model.finalized)
        assert len(shown["anomalies"]) == sum(one.is_open for one in model.oddities)
        self.met["stale"] += len(self.stale(shown))
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


def ids(pair: Any) -> tuple[str | None, str | None]:
    return tuple(pair[phase] and pair[phase]["record_id"] for phase in ("before", "after"))  # type: ignore[return-value]


@pytest.fixture
def fresh(program: Any) -> Callable[[], Any]:
    """Programs on data directories of their own."""
    count = iter(range(1_000_000))
    return lambda: evolve(program, root=program.root / str(next(count)))


def test_random_sessions_agree_with_the_model(fresh: Callable[[], Any], often: Callable[[int, int], int]) -> None:
    met = Counter[str]()
    first = int(os.environ.get("TRACKER_SEED", "1"))
    for seed in range(first, first + often(14, 1000)):
        dice, steps = random.Random(seed), []
        session = Session(fresh(), met)
        try:
            for _ in range(40):
                name = dice.choice(OFTEN)
                steps.append((name, {key: dice.choice(values) for key, values in STEPS[name].items()}))
                session.step(*steps[-1])
            session.end()
        except BaseException:
            print(f"seed {seed}:", *steps, sep="\n")
            raise
    kinds = [
        f"{kind} {state}" for kind in ("negative-delta", "clock-skew", "late-after") for state in ("open", "closed")
    ]
    wanted = {*kinds, "closed by a capture", "opened again", "finalized", "stale", "another lane's pair"}
    assert wanted <= {name for name, times in met.items() if times}, met


def test_sessions_that_hypothesis_makes_agree_with_the_model(
    fresh: Callable[[], Any], often: Callable[[int, int], int]
) -> None:
    """The same steps, which it makes shorter where something fails."""
    words = [
        st.tuples(st.just(name), st.fixed_dictionaries({key: st.sampled_from(one) for key, one in values.items()}))
        for name, values in STEPS.items()
    ]

    class Sessions(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.session = Session(fresh(), Counter())

        @rule(step=st.one_of(words))
        def step(self, step: tuple[str, dict[str, Any]]) -> None:
            self.session.step(*step)

        def teardown(self) -> None:
            if hasattr(self, "session"):
                self.session.end()

    run_state_machine_as_test(
        Sessions,
        settings=settings(
            max_examples=often(8, 500),
            stateful_step_count=often(20, 40),
            deadline=None,
            derandomize=often(1, 0) == 1,
            phases=[Phase.generate, *([Phase.shrink] if often(0, 1) else [])],  # to shrink takes minutes
            report_multiple_bugs=False,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
