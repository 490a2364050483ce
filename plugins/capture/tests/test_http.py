"""The vendor's quota answer: a loopback server that behaves as the vendor's, and as others do."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from outcomes import refused

KEY = "k3y-0123456789-secret"
PATH = "/api/monitor/usage/quota/limit"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A server on this machine; `seen` are the requests that reached it."""

    def __init__(self, tls: Path | None = None) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.answer: Answer = lambda handler: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers)))
                outer.answer(self)

            def log_message(self, *_arguments: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_arguments: Any) -> None:
                """A client that leaves is what some tests are about."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def served() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


server, other = pytest.fixture(served), pytest.fixture(served)


def reply(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def quota(machine: Any) -> bytes:
    """An answer of the vendor as of now: with the resets that it was recorded with, it would be an old one some day."""
    found = json.loads(machine.screen("glm", "quota-tokens").read_bytes())
    for limit in found["data"]["limits"]:
        limit["nextResetTime"] = int(time.time() + 3600) * 1000
    return json.dumps(found).encode()


def ask(machine: Any, server: Server | None, *arguments: str, **extra: str) -> Any:
    """A capture that may ask the server; the key never shows, whatever comes of it."""
    url = {"TRACKER_GLM_URL": f"http://{server.host}"} if server else {}
    known = {"TRACKER_GLM_KEY": KEY, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = machine("capture", "glm", "--from", "quota", "--phase", "before", *arguments, **(known | url | extra))
    assert KEY not in done.stdout + done.stderr
    for path in machine.folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    return done


def failure(machine: Any, server: Server | None, **extra: str) -> str:
    """Why the server gives no reading, asked in this process."""
    url = {"TRACKER_GLM_URL": f"http://{server.host}"} if server else {}
    why: str = machine.why_not("glm", "quota", **({"TRACKER_GLM_KEY": KEY} | url | extra))
    assert KEY not in why
    return why


def why_not(done: Any) -> str:
    line = refused(done)
    assert line.startswith("error: glm quota: ")
    return line


def test_the_quota_is_asked_for_with_the_user_s_key(machine: Any, server: Server) -> None:
    server.answer = reply(quota(machine))
    done = ask(machine, server)
    assert done.returncode == 0, done.stderr
    [row] = machine.rows("glm_counts")
    assert (row["source"], row["origin"], row["age_s"]) == ("automation", "quota", 0)
    assert row["parsed"]["fiveh_pct"] is not None
    [(path, headers)] = server.seen
    assert (path, headers["Authorization"]) == (PATH, KEY)


def test_it_is_off_unless_the_user_gave_the_key(machine: Any, server: Server) -> None:
    server.answer = reply(quota(machine))
    assert "it is off until the environment variable TRACKER_GLM_KEY holds your key" in why_not(
        ask(machine, server, TRACKER_GLM_KEY="", ZAI_API_KEY="another", ANTHROPIC_AUTH_TOKEN="another")
    )
    assert server.seen == []


def test_the_user_may_name_the_variable(machine: Any, server: Server) -> None:
    server.answer = reply(quota(machine))
    (machine.folder / "tracker.toml").write_text('key_variables = ["glm=MY_KEY"]\n')
    assert "key_variables needs your consent" in ask(machine, server, MY_KEY="another-key").stderr
    assert server.seen == []
    assert machine("config", "trust").returncode == 0
    assert ask(machine, server, MY_KEY="another-key").returncode == 0
    assert server.seen[0][1]["Authorization"] == "another-key"
    assert "until the environment variable MY_KEY holds your key." in why_not(ask(machine, server, MY_KEY=""))
    (machine.folder / "tracker.toml").write_text('key_variables = ["sk-0123456789"]\n')
    assert machine("config", "trust").returncode == 0
    assert "Expected SOURCE=VARIABLE." in ask(machine, server).stderr


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com", "must begin with https://: a key is not sent unencrypted"),
        ("http://127.0.0.1.example.com", "must begin with https://"),
        ("file:///etc/passwd", "must be a scheme and a host"),
        ("ftp://127.0.0.1", "must begin with https://"),
        ("https://user:word@127.0.0.1", "must be a scheme and a host"),
        ("127.0.0.1", "must be a scheme and a host"),
        ("https://127.0.0.1:port", "is invalid: "),
    ],
)
def test_an_address_that_no_key_is_sent_to(machine: Any, url: str, why: str) -> None:
    line = failure(machine, None, TRACKER_GLM_URL=url)
    assert "the address in TRACKER_GLM_URL" in line
    assert why in line


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    for _ in range(600):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(b"{}", 401), "answered 401: the key was refused"),
        (reply(b"{}", 403), "answered 403: the key was refused"),
        (reply(b"", 429, Retry_After="60"), "answered 429: too many requests"),
        (reply(b"<h1>down</h1>", 502), "answered 502 (Bad Gateway)"),
        (
            reply(b'{"code": 401, "msg": "token expired or incorrect", "success": false}'),
            "usage-not-loaded (the vendor",
        ),
        (reply(b"<html>log in</html>"), "invalid-json"),
        (reply(b" " * (1 << 20) + b"{}"), "answered with more than 1 MB, which is refused"),
        (reply(b'{"code": 200, "data"', Content_Length="4000"), "invalid-json"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "gave no complete answer: BadStatusLine"),
        (lambda handler: handler.connection.close(), "gave no complete answer"),
        (
            reply(b"", 302, Location="http://127.0.0.1:1/elsewhere"),
            "redirects to another server, 127.0.0.1:1, which is",
        ),
        (reply(b"", 302, Location="http://example.com/"), "redirects to another server, example.com, which is refused"),
        (reply(b"", 302, Location=PATH), "answered 302"),
        (reply(b"", 302, Location="file:///etc/passwd"), "answered 302 (Found)"),
    ],
    ids=[
        *("401", "403", "429", "502", "refused", "page", "huge", "cut", "no HTTP", "hangs up"),
        *("other port", "other host", "loop", "file"),
    ],
)
def test_what_fails_is_one_line(machine: Any, server: Server, answer: Answer, why: str) -> None:
    server.answer = answer
    assert why in failure(machine, server)


@pytest.mark.parametrize(
    "answer", [lambda handler: time.sleep(60), drip, drip_headers], ids=["silent", "drip", "headers"]
)
def test_a_server_that_takes_its_time_is_given_up(machine: Any, server: Server, answer: Answer) -> None:
    server.answer = answer
    assert f"{server.host} did not answer within 0.5 s" in failure(machine, server, TRACKER_ORIGIN_SECONDS="0.5")


def test_the_key_follows_no_redirect_to_another_server(machine: Any, server: Server, other: Server) -> None:
    other.answer = reply(quota(machine))
    server.answer = reply(b"", 302, Location=f"http://{other.host}{PATH}")
    assert f"redirects to another server, {other.host}" in why_not(ask(machine, server))
    assert other.seen == []


def test_a_redirect_on_the_same_server_is_followed(machine: Any, server: Server) -> None:
    good, moved = reply(quota(machine)), reply(b"", 307, Location="/v2/quota")
    server.answer = lambda handler: (good if handler.path == "/v2/quota" else moved)(handler)
    assert ask(machine, server).returncode == 0
    assert [path for path, _ in server.seen] == [PATH, "/v2/quota"]


def test_a_key_that_the_server_echoes_is_not_stored(machine: Any, server: Server) -> None:
    found = json.loads(quota(machine))
    server.answer = reply(json.dumps(found | {"you_sent": KEY}).encode())
    assert ask(machine, server).returncode == 0
    assert '"you_sent": "***"' in machine.rows("glm_counts")[0]["raw_text"]


def test_a_certificate_that_nobody_signed_is_refused(machine: Any) -> None:
    made = Server(Path(__file__).with_name("self-signed.pem"))
    made.answer = reply(quota(machine))
    try:
        why = failure(machine, None, TRACKER_GLM_URL=f"https://{made.host}")
    finally:
        made.close()
    assert "cannot be reached" in why
    assert "CERTIFICATE_VERIFY_FAILED" in why
    assert made.seen == []


def test_a_server_that_is_not_there(machine: Any, server: Server) -> None:
    server.close()
    assert "cannot be reached: [Errno" in failure(machine, server)


def test_no_program_is_asked_for_prompt_counts(machine: Any, server: Server) -> None:
    """What `ccusage blocks` prints counts tokens alone."""
    server.answer = reply(b"{}", 500)
    machine.program("ccusage", """print('{"blocks": [{"id": "2026-01-10T08:00:00.000Z", "totalTokens": 8}]}')""")
    done = machine("capture", "glm", TRACKER_GLM_KEY=KEY, TRACKER_GLM_URL=f"http://{server.host}")
    assert done.returncode == 1
    assert (
        "Nothing is left to try. Nothing was stored. Pipe a pane to `tracker capture glm --phase before --from stdin`."
        in done.stderr
    )
    assert "capture glm" not in machine("setup", "--yes").stdout
    # nor does `sync` read any, as it does Codex's
    ended = [machine("end", name, "--stdin", "--force", stdin=quota(machine)).stderr for name in ("glm", "codex")]
    assert ["For work that is over, run `tracker sync`" in one for one in ended] == [False, True]
    # what it says to type takes the counts
    counts = machine("capture", "glm", "--from", "stdin", stdin=machine.screen("glm", "counts").read_text())
    assert counts.returncode == 0, counts.stderr


def test_a_quota_answer_on_stdin(machine: Any) -> None:
    done = machine("capture", "glm", "--from", "stdin", stdin=quota(machine))
    assert done.returncode == 0, done.stderr
    assert machine.rows("glm_counts")[0]["origin"] == "stdin"


def test_the_cure_takes_a_pane_for_the_same_phase_window_and_lane(machine: Any) -> None:
    """Without them it ended the open window of the lane without a name."""
    for given, cure in (
        (("start", "claude", "--auto", "--window", "S1"), "--phase before --window S1 --from stdin"),
        (("cross", "claude", "--auto", "--agent", "a"), "--phase cross --from stdin --agent a"),
        (("capture", "claude", "--agent", ""), "--phase before --from stdin --agent ''"),
    ):
        assert machine(*given).stderr.endswith(f"Pipe a pane to `tracker capture claude {cure}`.\n")
