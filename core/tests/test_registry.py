"""Broken plugins are left out by name; the rest works."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from plugin_modules import plugin, registry, source
from toys import STATUS, install

from tracker.api import (
    ExchangeOrigin,
    Meter,
    ReportSource,
    Source,
    StatusSource,
    TelemetrySource,
    View,
)
from tracker.contract import hooks as hookspecs
from tracker.feature import Feature
from tracker.hosting import discovery
from tracker.hosting.registry import Registry, discover


def failures(made: Registry) -> list[str]:
    return [str(found.error) for found in made.found if found.error]


def only_failure(made: Registry) -> str:
    [failure] = failures(made)
    return failure


def test_a_sound_plugin_is_there() -> None:
    made = registry(plugin("toy"))
    assert list(made.sources) == ["toy"]
    assert made.found[0].hooks == ("parse_status", "source_info")
    assert not failures(made)


def test_a_broken_import_costs_only_that_plugin() -> None:
    def load() -> object:
        raise ImportError("no module named nope")

    made = registry(plugin("ok"))
    made.plugins.append(discovery.Plugin("bad", "", "dist-bad", "2", load))
    assert list(made.sources) == ["ok"]
    assert only_failure(made) == "plugin 'bad' failed to be imported: ImportError: no module named nope"


def test_an_unknown_hook_says_what_was_meant() -> None:
    assert "Unknown hook 'ingest_lines'. Did you mean ingest_line?" in only_failure(
        registry(plugin("bad", ingest_lines=lambda line: ()))
    )


def test_a_features_hook_has_no_place_in_a_source() -> None:
    made = registry(plugin("bad", panels=lambda session, period: []), plugin("ok"))
    assert list(made.sources) == ["ok"]
    assert "Unknown hook 'panels'. Expected one of compute_delta, end_stream, " in only_failure(made)


def test_an_unknown_argument_leaves_no_trace() -> None:
    made = registry(plugin("bad", parse_status=lambda text, nope: None), plugin("ok"))
    assert list(made.sources) == ["ok"]
    assert "nope" in only_failure(made)
    names = {impl.plugin_name for hook in vars(made.manager.hook).values() for impl in hook.get_hookimpls()}
    assert "bad" not in names


def test_an_argument_with_a_default_is_refused() -> None:
    failure = only_failure(registry(plugin("bad", parse_status=lambda text, captured_at=None: None)))
    assert "The argument 'captured_at' of parse_status has a default. Expected none." in failure


def test_a_missing_declaration_is_named() -> None:
    module = plugin("bad")
    del module.source_info
    assert "Missing hook 'source_info'. It declares the source." in only_failure(registry(module))


@pytest.mark.parametrize(
    ("kind", "hook"), [("status", "parse_status"), ("report", "parse_status"), ("telemetry", "ingest_line")]
)
def test_a_kind_needs_its_hook(kind: str, hook: str) -> None:
    module = plugin("bad", source("bad", kind=kind, stream="snapshots" if kind == "status" else "bad"))
    del module.parse_status
    assert f"Missing hook {hook!r}. A source of kind {kind!r} needs it." in only_failure(registry(module))


def test_a_declaration_of_a_wrong_type_is_refused() -> None:
    assert "source_info returned dict. Expected a Source." in only_failure(registry(plugin("bad", {"name": "bad"})))


def test_the_entry_point_and_the_source_have_one_name() -> None:
    assert "Invalid name 'other'. Expected that of the entry point, 'bad'." in only_failure(
        registry(plugin("bad", source("other")))
    )


@pytest.mark.parametrize(
    ("distributions", "admitted"),
    [(["acme-toy", "other-toy"], None), (["acme-toy", "tracker-toy"], "tracker-toy"), (["acme-toy"], "acme-toy")],
)
def test_of_two_distributions_that_claim_a_name_only_its_owner_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distributions: list[str], admitted: str | None
) -> None:
    for distribution in distributions:
        install(tmp_path / distribution, {"toy": STATUS}, distribution)
        monkeypatch.syspath_prepend(tmp_path / distribution)
    made = discover()
    found = {one.distribution: one for one in made.found if one.name == "toy"}
    assert [name for name, one in found.items() if one.info] == ([admitted] if admitted else [])
    for name in set(distributions) - {admitted}:
        others = ", ".join(sorted(set(distributions) - {name}))
        assert str(found[name].error) == (
            f"plugin 'toy' failed to claim its name: {others} also has an entry point of that name."
            f" Uninstall one of them, or set TRACKER_DISABLE_PLUGINS={name}."
        )


def test_a_source_is_loaded_when_it_is_first_asked_for() -> None:
    loaded: list[str] = []
    made = Registry()
    for name in ("a", "b"):
        load = lambda name=name: loaded.append(name) or plugin(name)  # noqa: E731
        made.plugins.append(discovery.Plugin(name, "", f"dist-{name}", "1", load))
    assert ([one.name for one in made.plugins], loaded) == (["a", "b"], [])
    assert made.source("b") is not None
    assert made.source("b") is made.source("b")
    assert made.source("nope") is None
    assert loaded == ["b"]
    assert list(made.sources) == ["a", "b"]
    assert loaded == ["b", "a"]


def test_a_source_of_another_distribution_cannot_share_a_stream() -> None:
    report = {"kind": "report", "stream": "shared"}
    made = registry(plugin("a", source("a", **report)), plugin("b", source("b", **report)))
    assert not made.sources, "the alphabet gives it to nobody"
    assert failures(made) == [
        f"plugin {one!r} failed to claim its stream: ValueError: Invalid stream 'shared'."
        f" Expected another than that of {other} (dist-{other})."
        for one, other in ("ab", "ba")
    ]
    assert len(registry(plugin("a"), plugin("b")).sources) == 2  # providers share `snapshots`


@pytest.mark.parametrize("first", ["a", "zoo", "zoo-log"])
@pytest.mark.parametrize(
    ("stream", "owner"),
    [("shared", None), ("zoo_map", "zoo"), ("zoo", "zoo"), ("zoolog", None), ("zoo_log", "zoo-log")],
)
def test_who_gets_a_stream_does_not_depend_on_who_is_loaded_first(first: str, stream: str, owner: str | None) -> None:
    report = {"kind": "report", "stream": stream}
    made = registry(*(plugin(name, source(name, **report)) for name in ("a", "b", "c")))
    for name in ("zoo", "zoo-log"):
        load = lambda name=name: plugin(name, source(name, **report))  # noqa: E731
        made.plugins.append(discovery.Plugin(name, "", f"tracker-{name}", "1", load))
    assert (made.source(first) is not None) == (first == owner)
    assert list(made.sources) == [name for name in ("zoo", "zoo-log") if name == owner]


def test_a_text_that_steers_a_terminal_is_refused() -> None:
    for fields in (
        {"title": "a\nb"},
        {"title": "\x1b[31mred"},
        {"tags": {"tag": "\x9b2J"}},
        {"tags": {"t\nag": "text"}},
        {"prices": "a\x1bb"},
    ):
        with pytest.raises(ValueError, match=f"^Invalid {next(iter(fields))} "):
            source("bad", **fields)
    with pytest.raises(ValueError, match="Invalid unit"):
        Meter(key="m", title="m", unit="\x9b2J")


def test_a_declaration_is_the_cores_own_from_admission_on() -> None:
    class Sly(Source):
        asked = 0

        @property
        def stream(self) -> str:  # type: ignore[override]
            Sly.asked += 1
            return "windows" if Sly.asked > 1 else "sly"

        @stream.setter
        def stream(self, value: str) -> None: ...

    given = Source(contract="1.2", name="sly", title="Sly", kind="view")
    sly = Sly.__new__(Sly)
    for field in attrs.fields(Source):
        if field.name != "stream":
            object.__setattr__(sly, field.name, getattr(given, field.name))
    made = registry(plugin("sly", sly, render_preview_block=lambda context: None))
    found = made.source("sly")
    assert type(found) is Source
    assert (found.stream, found.stream) == ("sly", "sly")


def test_the_parts_of_a_declaration_are_copied_too() -> None:
    class Live(Meter):
        @property
        def field_name(self) -> str:
            return "changed_pct"

    tags = {"insufficient-data": "first"}
    messages = ({"id": 1, "params": {}},)
    origin = ExchangeOrigin(name="rpc", title="RPC", argv=("acme",), messages=messages)
    given = source("acme", meters=(Live(key="m", title="M"),), tags=tags, origins=(origin,))
    found = registry(plugin("acme", given)).source("acme")
    tags["insufficient-data"] = "second\nerror: forged"
    messages[0]["id"] = 2
    assert found is not None
    assert found.tags == {"insufficient-data": "first"}
    assert (type(found.meters[0]), found.meters[0].field_name) == (Meter, "m_pct")
    assert found.origins == (
        ExchangeOrigin(name="rpc", title="RPC", argv=("acme",), messages=({"id": 1, "params": {}},)),
    )


@pytest.mark.parametrize(
    ("declared", "hook"),
    [
        (StatusSource(contract="1.2", name="toy", title="T"), "parse_status"),
        (ReportSource(contract="1.2", name="toy", title="T", stream="toy", scopes=("weekly",)), "parse_status"),
        (TelemetrySource(contract="1.2", name="toy", title="T", stream="toy", routed_label="far"), "ingest_line"),
        (View(contract="1.2", name="toy", title="T", stream="toy"), "render_preview_block"),
    ],
)
def test_each_kind_has_a_class(declared: Any, hook: str) -> None:
    made = registry(plugin("toy", declared, **{hook: lambda: None}))
    assert not failures(made)
    found = made.sources["toy"]
    kinds = {"StatusSource": "status", "ReportSource": "report", "TelemetrySource": "telemetry", "View": "view"}
    assert found.kind == kinds[type(declared).__name__]
    for field in attrs.fields(type(declared)):
        assert getattr(found, field.name) == getattr(declared, field.name)


@pytest.mark.parametrize("prefix", ["l", "rm", "c", "p"])
def test_a_prefix_that_hides_a_program_or_a_builtin_is_known(prefix: str) -> None:
    kind = {"kind": "report", "stream": "x"} if prefix == "rm" else {}
    assert source("toy", prefix=prefix, **kind).hidden_words


def test_the_operators_own_functions_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert source("toy", prefix="tracker", kind="telemetry", stream="toy").hidden_words == ["tracker"], (
        "also off the PATH"
    )
    assert [source("toy", prefix=prefix).hidden_words for prefix in "oaz"] == [[], [], []]


def test_a_declaration_with_a_half_built_meter_is_refused() -> None:
    info = source("bad")
    object.__setattr__(info, "meters", (Meter.__new__(Meter),))
    assert "plugin 'bad' failed to declare its source: AttributeError" in only_failure(registry(plugin("bad", info)))


def test_a_hook_that_is_not_marked_is_no_declaration() -> None:
    module = plugin("bad")
    module.source_info = lambda: source("bad")
    assert "source_info is not marked. Expected @hookimpl before it." in only_failure(registry(module))


@pytest.mark.parametrize("part", [{"parse_status": lambda text, locale: None}, {"render_table": lambda: None}])
def test_a_newer_plugin_is_told_to_wait_whatever_else_it_uses(part: dict[str, Any]) -> None:
    """Its new hooks and arguments are not what is wrong: the core is too old for them."""
    failure = only_failure(registry(plugin("new", source("new", contract="1.7"), **part)))
    assert "it was built for contract 1.7, this core has 1." in failure
    assert failure.endswith(": upgrade tracker-core")


def test_a_stream_of_the_cores_is_refused() -> None:
    failure = only_failure(registry(plugin("bad", source("bad", stream="windows"))))
    assert "Invalid stream 'windows'. Expected one that neither the kernel nor a feature writes." in failure
    report = {
        "kind": "report",
        "stream": next(one.info.streams for one in discovery.installed() if one.info.streams)[0],
    }
    assert "neither the kernel nor a feature writes." in only_failure(registry(plugin("bad", source("bad", **report))))


def test_a_stream_named_as_its_distribution_stays_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another company's feature that declares the same one took the source away, and the source was blamed."""
    info = source("acme-log", kind="telemetry", meters=(), capacity=None, stream="acme_log")
    module = plugin("acme-log", info, ingest_line=lambda line: [])
    rival = SimpleNamespace(info=Feature(name="rival", streams=("acme_log",)), is_own=False, distribution="rival")
    found: list[Any] = [*discovery.installed(), rival]
    monkeypatch.setattr(discovery, "installed", lambda: found)
    for owner, is_out in (("tracker-acme", False), ("other", True)):
        one = discovery.Plugin("acme-log", "", owner, "1", lambda: module)
        assert Registry(plugins=[one]).found[0] is one
        assert (one.error is not None) == is_out, owner


@pytest.mark.parametrize(
    ("contract", "cure"),
    [("1.9", "upgrade tracker-core"), ("2.0", "upgrade tracker-core"), ("0.9", "upgrade the plugin")],
)
def test_a_plugin_for_another_contract_says_what_to_upgrade(contract: str, cure: str) -> None:
    assert cure in only_failure(registry(plugin("bad", source("bad", contract=contract))))


@pytest.mark.parametrize(("contract", "is_in"), [("1.0", True), ("1.3", True), ("1.4", False), ("0.3", False)])
def test_a_later_core_takes_every_older_minor_version(
    monkeypatch: pytest.MonkeyPatch, contract: str, is_in: bool
) -> None:
    monkeypatch.setattr(hookspecs, "CONTRACT", (1, 3))
    assert ("toy" in registry(plugin("toy", source("toy", contract=contract))).sources) is is_in


def test_shell_functions_follow_from_the_prefix() -> None:
    assert set(source("toy", prefix="t").shell_functions) == {"ts", "te", "tx", "td", "td1", "td2"}
    assert source("toy", kind="report", prefix="tcc").shell_functions == {"tcc": "ingest toy"}
    assert source("toy").shell_functions == {}
