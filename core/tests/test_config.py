"""The settings file: what holds, and what is refused, with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tracker.errors import TrackerError
from tracker.settings import KINDS, Kernel, Setting, Settings, settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def load(folder: Path, text: str | bytes) -> Settings:
    path = folder / "tracker.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Settings.check(Settings.read(path), path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(TrackerError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert message.startswith(str(folder / "tracker.toml"))
    return message.removeprefix(str(folder / "tracker.toml"))


def test_without_a_file_the_defaults_hold() -> None:
    assert (Settings().path, dict(Settings().values)) == (None, {})
    assert Settings().section(Kernel).buffer_minutes == Kernel().buffer_minutes == 5.0


def test_a_file_sets_what_it_names(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        timezone = "Europe/Berlin"
        buffer_minutes = 3
        fsync = false
        prices = {toy = "200/mo:4.3bars", other = {month = 20}}
        [churn]
        exclude = ["*.lock"]
        """,
    )
    kernel = found.section(Kernel)
    assert (kernel.timezone, kernel.buffer_minutes, kernel.fsync) == ("Europe/Berlin", 3.0, False)
    assert found.values["churn.exclude"] == ("*.lock",)
    assert found.values["prices"] == {"toy": "200/mo:4.3bars", "other": {"month": 20}}
    assert found.base == tmp_path


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbfbuffer_minutes = 3\r\nfsync = false\r\n").values["buffer_minutes"] == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nbufer_minutes = 3", " (line 2): Unknown setting 'bufer_minutes'. Did you mean buffer_minutes?"),
        ("path = 'x'", " (line 1): Unknown setting 'path'. Expected one of data_dir, "),
        ("bufer = 3", " (line 1): Unknown setting 'bufer'. Did you mean buffer_minutes?"),
        ("exclude = ['x']", " (line 1): Unknown setting 'exclude'. Did you mean churn.exclude?"),
        ("fsync = true\n[churnn]\nx = 1", " (line 2): Unknown setting 'churnn'. Did you mean churn?"),
        ("[ledgers]\n# dir\ndri = 'x'", " (line 3): Unknown setting 'ledgers.dri'. Did you mean ledgers.dir?"),
        (
            "[ledgers]\ndir = 'x'\n[churn]\ndir = 'x'",
            " (line 4): Unknown setting 'churn.dir'. Did you mean ledgers.dir?",
        ),
        ("'ledgers.dir' = 'x'", ": Unknown setting '\"ledgers.dir\"'. Did you mean"),
        ("\n\nchurn = 5", " (line 3): churn is a table. Expected its settings: churn.exclude."),
        ("[fsync]", " (line 1): Invalid fsync {}. Expected true or false."),
        ("fsync = 1", " (line 1): Invalid fsync 1. Expected true or false."),
        ("data_dir = 5", " (line 1): Invalid data_dir 5. Expected a text of one line."),
        ("data_dir = ''", " (line 1): Invalid data_dir ''. Expected a text of one line."),
        ('data_dir = "a\\u001b"', " (line 1): Invalid data_dir 'a\\x1b'. Expected a text of one line."),
        ("buffer_minutes = 'five'", " (line 1): Invalid buffer_minutes 'five'. Expected a number from 0 to 10080."),
        ("buffer_minutes = true", " (line 1): Invalid buffer_minutes true. Expected a number from 0 to 10080."),
        ("buffer_minutes = nan", " (line 1): Invalid buffer_minutes nan. Expected a number from 0 to 10080."),
        ("divergence_pp = inf", " (line 1): Invalid divergence_pp inf. Expected a number from 0 to 100."),
        ("stale_minutes = -1", " (line 1): Invalid stale_minutes -1. Expected a number from 0 to 10080."),
        ("effect = 0", " (line 1): Invalid effect 0. Expected a ratio above 1, such as 1.5."),
        (
            "timezone = 'Berlin'",
            " (line 1): Unknown time zone 'Berlin'. Expected a name such as Europe/Berlin or UTC.",
        ),
        (
            "timezone = '../../etc/passwd'",
            " (line 1): Unknown time zone '../../etc/passwd'. Expected a name such as",
        ),
        (
            "[churn]\nexclude = [\n'a',\n5]",
            " (line 2): Invalid churn.exclude [",
        ),
        (
            "[churn]\nexclude = 'a'",
            ' (line 2): Invalid churn.exclude \'a\'. Expected a list of texts such as ["a", "b"].',
        ),
        ("prices = 5", " (line 1): Invalid prices 5. Expected a table with"),
        ("[prices]\ntoy = {month = -3}", " (line 1): Invalid prices {'toy': {'month': -3}}. Expected a table with"),
        ("[prices]\ntoy = nan", " (line 1): Invalid prices {'toy': nan}. Expected a table with"),
        ("fsync = ", " is not TOML: Invalid value (at end of document)"),
        ("fsync = true\nfsync = true\n", " is not TOML: Cannot overwrite a value (at line 2, column 13)"),
        (b"\xff", " is not TOML: 'utf-8' codec can't decode byte 0xff"),
        ("effect = " + "9" * 5000, " is not TOML: Exceeds the limit (4300 digits)"),
        ("x = " + "[" * 9000 + "]" * 9000, " is not TOML: it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(expected)
    assert len(message) < 500


def test_the_nearest_file_above_holds(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "tracker.toml").touch()
    assert Settings.find(inner) == tmp_path / "tracker.toml"
    (tmp_path / "a" / "tracker.toml").touch()
    assert Settings.find(inner) == tmp_path / "a" / "tracker.toml"


def test_a_name_that_leads_to_no_file_is_not_passed_over(tmp_path: Path) -> None:
    """Records went to the default folder while a share was not mounted."""
    inner = tmp_path / "a"
    inner.mkdir()
    (inner / "tracker.toml").symlink_to(tmp_path / "share" / "tracker.toml")
    (tmp_path / "tracker.toml").mkdir()
    for folder, why in ((inner, "No such file or directory"), (tmp_path, "Is a directory")):
        found = Settings.find(folder)
        assert found == folder / "tracker.toml"
        with pytest.raises(TrackerError, match=f"{why}. Expected a file, or a link to one."):
            Settings.read(found)


def test_every_setting_has_a_sound_default_and_a_kind() -> None:
    known = settings()
    assert "path" not in known
    for setting in known.values():
        assert setting.about
        if setting.default is not None:
            default: Any = list(setting.default) if isinstance(setting.default, tuple) else setting.default
            assert setting.check(default) == setting.default


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def test_the_document_lists_every_setting_as_it_is() -> None:
    """docs/reference/settings.md is checked against the code, in the code's order."""
    rows = [line for line in DOCUMENT.read_text().splitlines() if re.match(r"\| `[\w.]+` \| .* \| .* \| ", line)]
    expected = []
    for setting in settings().values():
        default = f"`{shown(setting.default)}`" if setting.default not in (None, (), {}) else ""
        expected.append(f"| `{setting.key}` | {setting.kind.title} | {default} | {setting.about} |")
    assert rows == expected


def test_the_example_of_the_document_holds(tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    [example] = re.findall(r"```toml\n(.*?)```", text, re.S)
    assert load(tmp_path, example).values["timezone"] == "Europe/Berlin"
    [shown_error] = re.findall(r"error: \.\.\./tracker\.toml(.*)", text)
    assert refusal(tmp_path, "fsync = true\nbufer_minutes = 3") == shown_error


def test_a_setting_that_is_a_table_takes_no_other_value() -> None:
    kind = KINDS[Mapping[str, Any]]
    setting = Setting(key="acme.rates", kind=kind, default={}, about="rates")
    assert setting.check({"a": 1}) == {"a": 1}
    with pytest.raises(ValueError, match=r"Invalid acme\.rates 5\. Expected a table\."):
        setting.check(5)
