"""Random sessions in several lanes, with clock jumps and crashes, against a model that is simple enough to be right."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from session_model import LANES, METERS, START, WINDOWS, Model, Shot, following, iso, pair_of, turned_pair, values

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
        chosen = window or model.choose(provider, lane, phases[0], at)
        late = "after" in phases and model.is_late(provider, at, when)
        group = model.group(provider, chosen) if chosen else []
        befores = [one for one in group if one.phase == "before"]
        tried = Shot(provider, chosen or "", "after", lane, at, used, when, len(model.shots))
        turned = turned_pair(tried, [*group, tried]) is not None
        if (
            chosen is None
            or ("after" in phases and not befores)
            or ("after" in phases and (late or turned) and not force)
        ):
            assert done.status == 1, done.out
            self.check_window(chosen or "W0-01")
            return
        said = json.loads(done.ok())
        for phase, record in zip(phases, said if isinstance(said, list) else [said], strict=True):
            here = chosen if phase == phases[0] else model.passing(following(chosen), lane, provider, at)
            shot = Shot(provider, here, phase, lane, at, used, when, len(model.shots), record["record_id"])
            model.store(shot, is_late=late and phase == "after")
            assert (record["window"], record["phase"]) == (here, phase)
        for here in {chosen, model.passing(following(chosen), lane, provider, at)} if len(phases) > 1 else {chosen}:
            self.settled(here, provider, lane)

    def delete(self, provider: str, lane: str, window: str | None, phase: str | None, position: int) -> None:
        words = ["alias", "delete", provider, "--yes", "--index", str(position)]
        words += ["--window", window] if window else []
        words += ["--phase", phase] if phase else []
        done = self.program("--json", *words, lane=lane)
        assert done.error is None, repr(done.error)
        gone = self.model.delete(provider, window, phase, lane, position)
        assert done.status == (0 if gone else 1), done.err
        if gone:
            assert json.loads(done.out)["tombstone"] == gone.record_id
            used = self.model.finalized.get(gone.window, {}).get(provider, ())
            is_lost = gone in used and gone.values not in [
                one.values for one in self.model.group(provider, gone.window)
            ]
            assert ("was finalized with this capture and is stale" in done.err) is is_lost
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
        own = json.loads(done.ok())["record_id"]
        shot = Shot("toy", window, "after", lane, self.clock, used, None, place, own, is_typed=True)
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
        # also what it was finalized with and has no capture of any more
        assert set(found["providers"]) == {*groups, *model.finalized.get(window, {})}
        for name, group in groups.items():
            shown = found["providers"][name]
            assert ids(shown["canonical"]) == tuple(one and one.record_id for one in pair_of(group))
            for lane in {one.lane for one in group}:
                own = pair_of(one for one in group if one.lane == lane)
                assert ids(shown["lanes"][lane]) == tuple(one and one.record_id for one in own)
            counts = {phase: sum(one.phase == phase for one in group) for phase in ("before", "after")}
            assert shown["entries"] == {phase: count for phase, count in counts.items() if count}
            # a pair that was added after the window was finalized is in no figure of it
            used = model.finalized.get(window, {}).get(name)
            is_added = window in model.finalized and used is None and all(pair_of(group))
            assert shown["stale"] is (is_added or (used is not None and values(used) != values(pair_of(group))))
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
        now = {(window, name): pair_of(model.group(name, window)) for window in model.finalized for name in METERS}
        used = {(window, name): model.finalized[window].get(name) for window, name in now}
        # one that was added after the window was finalized, too
        assert self.stale(shown) == {
            key for key, pair in now.items() if (values(pair) != values(used[key]) if used[key] else all(pair))
        }
        shutil.rmtree(self.program.root / ".index", ignore_errors=True)
        assert json.loads(self.program("--json", "preview").ok()) == shown
        for path in self.program.root.glob("state/**/*.json"):
            path.unlink()
        report = json.loads(self.program("--json", "doctor", "--fix").ok())
        checks = {one["check"] for one in report["findings"]}
        assert checks <= {"state", "order", "open", "reference", "torn", "permissions", "anomaly"}
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
    first = int(os.environ.get("TRACKER_SEED", "7"))
    for seed in range(first, first + often(3, 1000)):
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
    wanted = {
        "negative-delta open",
        "negative-delta closed",
        "late-after closed",
        "clock-skew closed",
        "closed by a capture",
        "opened again",
        "finalized",
        "stale",
        "another lane's pair",
    }
    # a few sessions of other seeds need not meet everything
    assert "TRACKER_SEED" in os.environ or wanted <= {name for name, times in met.items() if times}, met


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
            max_examples=often(4, 500),
            stateful_step_count=often(20, 40),
            deadline=None,
            derandomize=often(1, 0) == 1,
            phases=[Phase.generate, *([Phase.shrink] if often(0, 1) else [])],  # to shrink takes minutes
            report_multiple_bugs=False,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
