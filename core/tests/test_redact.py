"""Forms of addresses and of keys, none of which may be stored; and texts that stay as they are."""

from __future__ import annotations

from tracker.text.pane import redact

ADDRESSES = [
    "dev@example.com",
    "Email: dev@example.com",
    "<dev@example.com>",
    "mailto:dev@example.com",
    "dev%40example.com",
    "dev\\u0040example.com",
    "dev&#64;example.com",
    "dev&#x40;example.com",
    "dev＠example.com",
    "dev (at) example.com",
    "dev [at] example.com",
    "dev\\x40example.com",
    '"dev"@example.com',
    "first.last@example.com",
    "first.last%40example.com",
    "dev+tag@example.com",
    "Email: first.la\n  st@example.com",
    "E-mail: first.la\n st@example.com",
    "User: first.la\n st@example.com",
    "Login: firs\n t.last@example.com",
    "Email: first.last\n@example.com",
    "o'neil@example.com",
    "dév@example.com",
    "dev@[192.0.2.1]",
    "user=dev%2540example.com",
    "DEV@EXAMPLE.COM",
    "dev\\@example.com",
    "dev@exa\nmple.com",
    "dev&commat;example.com",
    "dev \u200b@example.com",
    "'dev@example.com'",
    "dev\xad@example.com",
    "dev@ example.com",
    "dev @example.com",
    "Account: dev@example.com (Max)",
    "│ Account: first.last@exa │",
    "Account: first.la",
    "Email: first.la",
    "dev%2540example.com",
    "dev\\\\u0040example.com",
    "dev(at)example.com",
    "dev[at]example.com",
    "dev&#064;example.com",
    "?user=dev%40example.com&x=1",
    '"email":"dev\\u0040example.com"',
    "Username: first.la\n st@example.com",
    "Account: dev\x1b[0m@example.com",
    "dev@\x1b[1mexample.com",
    "Account:\n  first.last\n  @example.com (Pro 200)",
    "Account:\n  first.la\n  st@example.com",
    "Login: first.last\n @example.com",
]
HEX = "0123456789abcdef" * 2
WORD = "AbCdEfGh12345678"
KEYS = [
    "<HEX>.<WORD>",
    "sk-<WORD><WORD>",
    "sk-ant-api03-<WORD>_<WORD>",
    "sk-proj-<WORD>",
    "Bearer <WORD><WORD>",
    "Authorization: <WORD><WORD>",
    "Authorization: Bearer <WORD><WORD>",
    '"Authorization":"Bearer <WORD><WORD>"',
    '{"x-api-key":"<WORD><WORD>"}',
    "sk\\u002d<WORD><WORD>",
    "?key=<WORD><WORD>",
    "&api_key=<WORD><WORD>",
    "https://u:<WORD><WORD>@h.example/",
    "Location: https://h.example/?access_token=<WORD><WORD>",
    "ghp_<WORD><WORD>",
    "AIza<WORD><WORD><WORD>",
    "gho_<WORD><WORD>",
    "glpat-<WORD><WORD>",
    "eyJ<WORD>.eyJ<WORD>.<WORD>",
    "ANTHROPIC_API_KEY=<WORD><WORD>",
    "Bearer\\u0020<WORD><WORD>",
    "Cookie: session=<WORD><WORD>; x=<WORD><WORD>",
    "token: <WORD><WORD>",
    "api%5Fkey%3D<WORD><WORD>",
    "Bearer%20<WORD><WORD>",
    "Basic <WORD><WORD>",
    '\\"api_key\\":\\"<WORD><WORD>\\"',
    "0123456789ABCDEF0123456789ABCDEF.<WORD>",
    "sk\\u002dant\\u002d<WORD>",
    "TRACKER_GLM_KEY=<WORD>",
    "hf_<WORD><WORD>",
    "pplx-<WORD><WORD>",
    '{"refresh_token":"rt_<WORD>.<WORD>"}',
    "refreshToken: <WORD><WORD>",
    "id_token=<WORD><WORD>",
    "sk-ant-api03-abcdefgh\n  <WORD><WORD>",
    "redirect_uri=https%3A%2F%2Fx%2F%3Fkey%3Dsk-ant-api03-<WORD><WORD>",
    '{\\"x\\":\\u0022sk-proj-<WORD>\\u0022}',
    "next\\u003dghp_<WORD><WORD>",
    "next%3D<HEX>.<WORD>",
    "%22eyJ<WORD>.eyJ<WORD>.<WORD>",
]
PLAIN = [
    "11% used (resets 10:43 PM)",
    "input_tokens: 123456",
    "tokens=4290 baseline=3975",
    "total token usage: 1,234,567",
    "a @ b",
    "Weekly limit: [███] 64% left",
    '"key": "fiveh"',
    "@decorator\ndef x",
    "git_head 0123456789abcdef0123456789abcdef01234567",
    "meet at noon (at) home",
    "primary_key: id",
    "Account:\n  5h limit: 11% used",
    "max_output_tokens: 128000",
    "token: internationalization",
]


def test_no_form_of_an_address_stays() -> None:
    names = ("dev", "first.la", "last", "d\u00e9v", "neil")
    assert [form for form in ADDRESSES if any(name in redact(form).lower() for name in names)] == []


def test_no_form_of_a_key_stays() -> None:
    forms = [form.replace("<HEX>", HEX).replace("<WORD>", WORD) for form in KEYS]
    assert [form for form in forms if HEX in redact(form) or WORD in redact(form)] == []
    assert redact("x-api-key: AbCdEfGhIjKlMnOpQrSt") == "x-api-key: ***"


def test_other_text_stays_and_what_is_redacted_stays_so() -> None:
    assert [text for text in PLAIN if redact(text) != text] == []
    assert [form for form in ADDRESSES if redact(redact(form)) != redact(form)] == []
