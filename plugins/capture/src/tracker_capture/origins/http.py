"""One GET request with the user's own key: TLS verified, no redirect to another server, at most 1 MB.

Off unless the key is in the variable that the plugin declares or the user named in `key_variables`. The key is sent in
its header to the declared or configured address, and stands in no message and no record.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tracker import __version__
from tracker.api import HttpOrigin
from tracker.kernel import TrackerError, line
from tracker_capture.origins.answer import LIMIT, Answer, OriginError, Query, in_thread
from tracker_capture.settings import CaptureSettings

CHUNK = 1 << 16
GRACE_SECONDS = 0.5  # so that the request itself can report that it took too long
MASK = "***"
MEANINGS = {401: "the key was refused", 403: "the key was refused", 429: "too many requests"}


def response(query: Query) -> Answer:
    """The reading of what the server answers."""
    origin = query.origin
    assert isinstance(origin, HttpOrigin)
    key = _key(query, origin)
    base = _base(origin)
    text = _get(base, origin, key, query).decode("utf-8-sig", "replace")
    return query.parse(text.replace(key, MASK))  # a server may echo what it was sent


def key_variable(configured: tuple[str, ...], source: str, origin: HttpOrigin) -> str:
    """The variable that holds the key: the one that the user named for the source, else the declared one."""
    for entry in configured:
        name, equals, variable = (part.strip() for part in entry.partition("="))
        if not equals or not re.fullmatch("[A-Z][A-Z0-9_]*", variable, re.I):
            raise TrackerError(f"key_variables in tracker.toml: Invalid entry {entry!r}. Expected SOURCE=VARIABLE.")
        if name == source:
            return variable
    return origin.key


def _key(query: Query, origin: HttpOrigin) -> str:
    variable = key_variable(query.session.settings(CaptureSettings).key_variables, query.source.name, origin)
    key = os.environ.get(variable, "").strip()
    if not key:
        own = "" if variable != origin.key else ", or name another variable in key_variables (tracker.toml)"
        raise OriginError(f"it is off until the environment variable {variable} holds your key{own}", is_absent=True)
    if not key.isascii() or not key.isprintable():
        raise OriginError(f"the key in {variable} has characters that cannot be sent", is_lasting=True)
    return key


def _base(origin: HttpOrigin) -> SplitResult:
    """Scheme and host; the user's address may be unencrypted on this machine alone."""
    named = os.environ.get(origin.variable) if origin.variable else None
    where = f"the address in {origin.variable}" if named else "the declared address"
    try:
        base = urlsplit((named or origin.address).rstrip("/"))
        host, _ = base.hostname, base.port
    except ValueError as error:
        raise OriginError(f"{where} is invalid: {error}", is_lasting=True) from error
    if not host or base.username or base.query or base.fragment or not (named or origin.address).isprintable():
        raise OriginError(f"{where} must be a scheme and a host, such as https://example.com", is_lasting=True)
    if base.scheme != "https" and not (base.scheme == "http" and _is_this_machine(host)):
        raise OriginError(f"{where} must begin with https://: a key is not sent unencrypted", is_lasting=True)
    return base


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same server alone, since the key goes along."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            fp.close()
            raise OriginError(f"{old.netloc} redirects to another server, {line(new.netloc)[:80]}, which is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get(base: SplitResult, origin: HttpOrigin, key: str, query: Query) -> bytes:
    """The body, requested in a thread, so that a slow name lookup or a dripping header can also be given up."""
    body = in_thread(partial(_request, base, origin, key, query))
    try:
        return body.result(query.remaining() + GRACE_SECONDS)
    except TimeoutError:
        raise OriginError(f"{base.netloc} did not answer within {query.seconds:g} s") from None


def _request(base: SplitResult, origin: HttpOrigin, key: str, query: Query) -> bytes:
    """The body; a `TimeoutError` if it takes too long."""
    headers = {origin.header: origin.prefix + key, "Accept": "application/json", "User-Agent": f"tracker/{__version__}"}
    request = urllib.request.Request(base.geturl() + origin.path, headers=headers)
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if _is_this_machine(base.hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    host = base.netloc
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=query.remaining() or 1e-3) as answer:
            return _read(answer, host, query)
    except urllib.error.HTTPError as error:
        with error:
            raise OriginError(f"{host} answered {error.code}{_meaning(error.code)}") from None
    except TimeoutError:
        raise
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from None
        raise OriginError(f"{host} cannot be reached: {line(error.reason).replace(key, MASK)}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OriginError(f"{host} gave no complete answer: {type(error).__name__}") from None


def _read(answer: Any, host: str, query: Query) -> bytes:
    """The body, piece by piece, so that a server that drips it cannot outlast the deadline."""
    body = b""
    while chunk := answer.read1(CHUNK):
        body += chunk
        if len(body) > LIMIT:
            raise OriginError(f"{host} answered with more than {LIMIT >> 20} MB, which is refused")
        if not query.remaining():
            raise TimeoutError
    return body


def _meaning(code: int) -> str:
    if code in MEANINGS:
        return f": {MEANINGS[code]}"
    return f" ({http.client.responses[code]})" if code in http.client.responses else ""
