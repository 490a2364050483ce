"""What programs print and answer: real processes that behave as the real ones, and as broken ones do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tracker.session import Session
from tracker_capture.origins import NoAnswer, first

# Answers each request as the recorded program did, with everything that it said in between before it.
REPLAY = """
def say(message):
    print(json.dumps(message), flush=True)

def replay(path, hook=lambda message: None):
    lines = open(path).read().splitlines()
    said = [json.loads(line[2:]) for line in lines if line.startswith("< ")]
    asked = [json.loads(line[2:]) for line in lines if line.startswith("> ")]
    methods = {message["id"]: message["method"] for message in asked if "id" in message}
    answers = {methods[message["id"]]: message for message in reversed(said) if "id" in message}
    for line in sys.stdin:
        message = json.loads(line)
        for notice in said:
            if "id" not in notice:
                say(notice)
        hook(message)
        if "id" in message:
            say(answers[message["method"]] | {"id": message["id"]})

assert sys.argv[1:] == ["app-server"], sys.argv
"""
SPARK = "app_server_v0.169.0_spark"
PRINTED = "print_v2.1.330_base_max_110col"


def codex(machine: Any, code: str, screen: str = SPARK) -> None:
    machine.program("codex", f"{REPLAY}\nPATH = {str(machine.screen('codex', screen))!r}\n{code}")


def claude(machine: Any, code: str, screen: str = PRINTED) -> None:
    text = machine.printed() if screen == PRINTED else machine.screen("claude", screen).read_text()
    machine.program("claude", f"assert sys.argv[1:3] == ['-p', '/usage'], sys.argv\nTEXT = {text!r}\n{code}")


# --- an exchange


def test_the_app_server_is_asked_for_the_limits(machine: Any) -> None:
    codex(machine, "replay(PATH)")
    done = machine("capture", "codex", "--from", "app-server", "--force")
    assert done.returncode == 0, done.stderr
    [row] = machine.rows()
    assert (row["source"], row["origin"], row["age_s"]) == ("automation", "app-server", 0)
    assert (row["parsed"]["fiveh_pct"], row["parsed"]["weekly_pct"]) == (11, 64)
    assert row["parsed"]["gpt_5_3_codex_spark_weekly_pct"] == 100
    assert row["parsed"]["version"] == "0.169.0"
    assert row["raw_text"].count("\n") == 1
    assert "configWarning" not in row["raw_text"]


@pytest.mark.parametrize(
    "hook",
    [
        "time.sleep(0.3)",
        "say({'id': message.get('id', 7), 'method': 'item/approval/request', 'params': {}})",
        "say({'id': 99, 'result': {'rateLimits': {'primary': {'usedPercent': 99}}}})",
        "print('warning: no bubblewrap', flush=True)",
        "print('not an answer', 'x' * 3000, file=sys.stderr, flush=True)",
        "sys.stdout.write('\\\\n\\\\n'); sys.stdout.flush()",
        "os.write(1, b'\\\\xff\\\\xfe\\\\n')",
    ],
    ids=["slow", "its own requests", "foreign answers", "no JSON", "error output", "empty lines", "bytes"],
)
def test_what_comes_in_between_does_no_harm(machine: Any, hook: str) -> None:
    codex(machine, f"replay(PATH, lambda message: exec({hook.replace(chr(92) * 2, chr(92))!r}))")
    assert machine.ask("codex", "app-server").reading.gauge("weekly").used == 64


def test_an_answer_may_come_in_pieces(machine: Any) -> None:
    codex(
        machine,
        "def say(message):\n"
        "    for character in json.dumps(message) + '\\n':\n"
        "        os.write(1, character.encode())\n"
        "replay(PATH)",
    )
    assert machine.ask("codex", "app-server").has_value


@pytest.mark.parametrize(
    ("code", "screen", "why"),
    [
        ("replay(PATH)", "app_server_v0.169.0_noauth", "not-authenticated (Codex is not logged in"),
        (
            "sys.exit(\"error: unrecognized subcommand 'app-server'\")",
            SPARK,
            "codex ended with status 1 before it answered initialize: 'error: unrecognized subcommand",
        ),
        (
            "replay(PATH, lambda message: message.get('id') == 2 and sys.exit('thread main panicked'))",
            SPARK,
            "codex ended with status 1 before it answered account/rateLimits/read: 'thread main panicked'",
        ),
        ("os.kill(os.getpid(), 9)", SPARK, "codex was ended by SIGKILL before it answered initialize"),
        (
            "print('>_ OpenAI Codex (v0.40.0)')",
            SPARK,
            "codex ended with status 0 before it answered initialize: '>_ OpenAI Codex (v0.40.0)'",
        ),
        (
            "while True: say({'method': 'item/delta', 'params': {'text': 'x' * 50000}})",
            SPARK,
            "codex printed over 1 MB, too much for a reading",
        ),
        ("while True: os.write(1, b'x' * 65536)", SPARK, "codex printed over 1 MB, too much for a reading"),
        (
            "say({'id': 1, 'error': {'code': -32600, 'message': 'Invalid request: unknown variant'}})\ntime.sleep(60)",
            SPARK,
            "usage-not-loaded",
        ),
        (
            "replay(PATH, lambda message: message.get('id') == 2 and say({'id': 2, 'error': {'code': -32603, 'message':"
            " 'failed to fetch codex rate limits: 500'}}))",
            SPARK,
            # what was answered last is quoted, not the greeting, which was fine
            'usage-not-loaded (Codex could not fetch the limits; try again later); it said \'{"id": 2, "error": {',
        ),
        (
            "replay(PATH, lambda message: message.get('id') == 2 and say({'id': 2, 'result': {'rateLimits': None}}))",
            SPARK,
            '; it said \'{"id": 2, "result": {"rateLimits": null}}\'',
        ),
    ],
    ids=["login", "old", "dying", "killed", "pane", "notices", "endless line", "refused", "vendor down", "empty"],
)
def test_what_fails_in_an_exchange_is_one_line(machine: Any, code: str, screen: str, why: str) -> None:
    codex(machine, code, screen)
    assert why in machine.why_not("codex", "app-server")


def test_a_silent_program_is_ended_with_everything_it_started(machine: Any) -> None:
    codex(
        machine,
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('children', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "replay(PATH, lambda message: message.get('id') == 2 and time.sleep(600))",
    )
    why = machine.why_not("codex", "app-server", TRACKER_ORIGIN_SECONDS="3")
    assert "codex did not answer account/rateLimits/read within 3 s" in why
    for number in (machine.folder / "children").read_text().split():
        assert is_gone(int(number))


def is_gone(process: int) -> bool:
    """Whether it ended; an orphan that nobody has waited for yet has."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 9)
    return False


# --- a command


def test_the_json_of_claude_is_asked_first(machine: Any) -> None:
    rows = (machine.screen("claude", "x").parents[1] / "stream_json" / "v2.1.300_fresh.usage.stream.jsonl").read_text()
    arguments = ["-p", "/usage", "--output-format", "stream-json", "--verbose"]
    machine.program("claude", f"assert sys.argv[1:] == {arguments!r}, sys.argv\nprint({rows!r})")
    answer = machine.ask("claude", "usage")
    used = {gauge.meter: gauge.used for gauge in answer.reading.gauges}
    assert used == {"session": 42.6, "all_models": 7.25, "opus": 63.9, "fable": 0.4}


def test_what_claude_prints_is_read(machine: Any) -> None:
    claude(machine, "print(TEXT, end='')")
    done = machine("capture", "claude", "--from", "print")
    assert done.returncode == 0, done.stderr
    [row] = machine.rows()
    assert (row["origin"], row["phase"], row["source"]) == ("print", "before", "automation")
    assert (row["parsed"]["session_pct"], row["parsed"]["all_models_pct"], row["parsed"]["sonnet_pct"]) == (1, 90, 33)
    assert "read from print" in done.stderr


@pytest.mark.parametrize(
    ("code", "screen", "why"),
    [
        ("print(TEXT)", "print_v2.1.70_base_max_110col", "insufficient-data"),
        ("print(TEXT)", "print_v2.1.70_base_max_110col", "it said 'Unknown skill: usage'"),
        ("print(TEXT)", "print_v2.0.0_base_max_110col", "insufficient-data"),
        ("print(TEXT)", "print_v2.1.330_empty_max_110col", "usage-not-loaded (Claude Code showed no figures"),
        ("print(TEXT)", "print_v2.1.330_base_none_110col", "insufficient-data"),
        (
            "print('Invalid API key · Please run /login'); sys.exit(1)",
            PRINTED,
            "claude ended with status 1: 'Invalid API key · Please run /login'",
        ),
        ("print(TEXT[:120]); sys.exit('lost it')", PRINTED, "claude ended with status 1: 'lost it'"),
        ("os.write(1, bytes(range(256)) * 90)", PRINTED, "insufficient-data"),
        ("while True: print(TEXT)", PRINTED, "claude printed over 1 MB, too much for a reading"),
        ("print('key sk-ant-0123456789abcdef'); sys.exit(2)", PRINTED, "claude ended with status 2: 'key sk-***'"),
    ],
    ids=["old", "what it said", "nothing", "not loaded", "no plan", "login", "dying", "garbage", "huge", "secret"],
)
def test_what_fails_in_a_command_is_one_line(machine: Any, code: str, screen: str, why: str) -> None:
    claude(machine, code, screen)
    assert why in machine.why_not("claude", "print")


def test_a_command_that_says_nothing_is_given_up(machine: Any) -> None:
    claude(machine, "time.sleep(600)")
    why = machine.why_not("claude", "print", TRACKER_ORIGIN_SECONDS="1")
    assert "claude did not finish printing within 1 s" in why


def test_a_command_gets_no_terminal_and_no_input_to_wait_for(machine: Any) -> None:
    claude(
        machine,
        "assert sys.stdin.read() == ''\n"
        "try:\n    open('/dev/tty')\n    print('Do you trust this folder? [y/n]')\nexcept OSError:\n    print(TEXT)",
    )
    assert machine.ask("claude", "print").has_value


def test_keys_and_our_own_settings_stay_home(machine: Any) -> None:
    machine.settings('key_variables = ["glm=MY_KEY"]\n')
    claude(machine, "print([name for name in os.environ if name.startswith('TRACKER_') or name == 'MY_KEY'] or TEXT)")
    assert machine.ask("claude", "print", TRACKER_GLM_KEY="not-yours", MY_KEY="neither").has_value


LEAVES_A_DAEMON = """
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    open('orphan', 'w').write(str(os.getpid()))
    os.closerange(0, 3)
    time.sleep(600)
while not os.path.exists('orphan') or not open('orphan').read():
    time.sleep(0.01)
open('children', 'w').write(f'{os.getpid()} {child.pid} ' + open('orphan').read())
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only /proc shows who left the group")
@pytest.mark.parametrize("end", ["print(TEXT)", "time.sleep(600)"])
def test_nothing_that_a_command_started_is_left_behind(machine: Any, end: str) -> None:
    claude(machine, LEAVES_A_DAEMON + end)
    if "sleep" in end:
        assert "within 2 s" in machine.why_not("claude", "print", TRACKER_ORIGIN_SECONDS="2")
    else:
        assert machine.ask("claude", "print").has_value
    for number in (machine.folder / "children").read_text().split():
        assert is_gone(int(number))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only /proc shows who left the group")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_capture_that_is_ended_leaves_nothing_behind(machine: Any, number: int) -> None:
    claude(machine, LEAVES_A_DAEMON + "time.sleep(600)")
    interruptible = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with machine.process("capture", "claude", stderr=subprocess.PIPE, preexec_fn=interruptible) as process:
        while not (machine.folder / "children").exists() or not (machine.folder / "children").read_text():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert b"Traceback" not in process.stderr.read()
    for one in (machine.folder / "children").read_text().split():
        assert is_gone(int(one))


def test_hanging_programs_cost_their_provider_30_s_at_most_and_say_that_they_are_waited_for(
    machine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claude(machine, "time.sleep(600)")
    machine.enter()
    monkeypatch.setattr("tracker_capture.origins.MOST_SECONDS", 2.0)
    monkeypatch.setattr("tracker_capture.origins.answer.NOTICE_SECONDS", 0.5)
    session = Session()
    source = session.source("claude")
    origins = [source.origins[0]] * 3
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        first(session, source, origins)
    assert time.monotonic() - began < 8
    assert "waiting for claude usage: 1 of 2 s" in capsys.readouterr().err


def test_a_program_that_cannot_be_started_says_so(machine: Any) -> None:
    path = machine.bin / "claude"
    path.write_text("#!/nowhere/at/all\n")
    path.chmod(0o755)
    assert "claude cannot be started: No such file or directory" in machine.why_not("claude", "print")


def test_a_colour_terminal_s_output_is_read(machine: Any) -> None:
    claude(machine, "print(TEXT.replace('Current', '\\x1b[1mCurrent\\x1b[0m').replace('\\n', '\\r\\n'))")
    assert machine.ask("claude", "print").reading.gauge("all_models").used == 90


# --- in their order


def test_a_failure_is_one_line_and_nothing_is_stored(machine: Any) -> None:
    claude(machine, "print(TEXT[:120]); sys.exit('lost it')")
    done = machine("capture", "claude", "--from", "print")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: claude print: claude ended with status 1: 'lost it'. Nothing is left to try. Nothing was stored."
        " Pipe a pane to `tracker capture claude --phase before --from stdin`.\n"
    )
    assert machine.rows() == []


def test_each_failure_is_a_line_that_says_what_is_tried_next(machine: Any, event: Any) -> None:
    codex(machine, "replay(PATH)")
    done = machine("capture", "codex", "--force")
    assert done.returncode == 0, done.stderr
    [warning] = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: codex rollout: no folder ")
    assert warning.endswith("; trying app-server next")
    assert machine.rows()[0]["origin"] == "app-server"


def test_the_first_that_answers_is_taken_and_no_other_asked(machine: Any, event: Any) -> None:
    machine.rollout("a", event(7))
    codex(machine, "open('asked', 'w')")
    done = machine("capture", "codex")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert not (machine.folder / "asked").exists()


def test_where_nothing_answers_the_last_line_is_the_error(machine: Any) -> None:
    done = machine("capture", "claude")
    first, second, third, last = done.stderr.splitlines()
    assert first.startswith("warning: claude usage: claude is not on the PATH; install Claude Code")
    assert first.endswith("; trying print next")
    assert second.endswith("; trying statusline next")
    assert third.startswith("warning: claude statusline: no program has sent a status line yet; run `tracker setup`")
    assert last.startswith("error: claude transcript: no folder ")
    assert "Also tried: usage, print, statusline. Nothing was stored." in last
    assert "tracker capture claude --phase before --from stdin" in last
    assert (done.returncode, machine.rows()) == (1, [])


def test_a_plugin_that_breaks_is_the_origin_s_failure(machine_of_processes: Any, tmp_path: Path) -> None:
    machine = machine_of_processes
    site = tmp_path / "site"
    info = site / "third_party-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracker]\nfuel = third_party\n")
    (site / "third_party.py").write_text(
        "from tracker.api import CommandOrigin, FileOrigin, Gauge, Meter, Reading, Source, hookimpl\n"
        "@hookimpl\n"
        "def source_info():\n"
        "    return Source(contract='1.0', name='fuel', title='Fuel', capacity='tank',\n"
        "                  meters=(Meter(key='tank', title='Tank'),),\n"
        "                  origins=(FileOrigin(name='log', title='log', folder='.', pattern='*.log', marker='tank'),\n"
        "                           CommandOrigin(name='gauge', title='gauge', argv=('gauge', '-n'))))\n"
        "@hookimpl\n"
        "def parse_status(text, origin):\n"
        "    if origin == 'log':\n"
        "        raise RuntimeError('the log is strange')\n"
        "    return Reading(gauges=(Gauge(meter='tank', used=float(text)),))\n"
    )
    (tmp_path / "a.log").write_text("tank 3\n")
    machine.program("gauge", "print(41 if sys.argv[1:] == ['-n'] else 0)")
    done = machine("capture", "fuel", PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert "warning: fuel log: plugin 'fuel' failed to parse_status: RuntimeError: the log is strange" in done.stderr
    assert machine.rows()[0]["parsed"]["tank_pct"] == 41
