"""What an HTTP answer means before its content is looked at."""

from __future__ import annotations

import json

import pytest

from duoproxy.duoapi.answers import ErrorAnswer, HttpAnswer, UnexpectedAnswer, read_answer


def _answer(status: int, envelope: object) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(envelope).encode())


def _refusal(status: int, envelope: object) -> ErrorAnswer:
    with pytest.raises(ErrorAnswer) as caught:
        read_answer(_answer(status, envelope))
    return caught.value


@pytest.mark.parametrize("response", [{"result": "auth"}, "pong", [], None, 0])
def test_good_answer_gives_its_content(response):
    """HTTP 200, `stat` OK: the content is `response`, whatever it is."""
    assert read_answer(_answer(200, {"stat": "OK", "response": response})) == response


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"stat":"OK"}',
        b'{"stat":"FAIL","response":1}',
        b"\xff",
        b"[" * 100_000,
        b"9" * 9999,
    ],
)
def test_body_that_is_not_the_api_s_is_an_error_value(body):
    """Unexpected JSON is an error, never a crash."""
    with pytest.raises(UnexpectedAnswer, match="the answer is not in the API's form"):
        read_answer(HttpAnswer(200, body))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_refused(status):
    """The API never redirects; a second factor does not follow one."""
    with pytest.raises(UnexpectedAnswer, match=f"^the answer is a redirect \\(HTTP {status}\\), which the API never"):
        read_answer(_answer(status, {"stat": "OK", "response": {"result": "allow"}}))


@pytest.mark.parametrize("status", [100, 199, 201, 204])
def test_other_status_is_an_error(status):
    """A content counts only under 200."""
    with pytest.raises(UnexpectedAnswer):
        read_answer(_answer(status, {"stat": "OK", "response": {"result": "allow"}}))


def test_error_carries_duo_s_own_words():
    """Code, message and detail stand in the log."""
    error = _refusal(400, {"stat": "FAIL", "code": 40002, "message": "Invalid", "message_detail": "username"})
    assert (error.status, error.code, error.message) == (400, 40002, "Invalid, username")
    assert str(error) == "HTTP 400, code 40002: Invalid, username"
    assert str(_refusal(502, "bad gateway")) == "HTTP 502"


def test_words_of_an_error_cannot_forge_log_lines_or_fill_them():
    """What the service says is bounded and printable."""
    error = _refusal(400, {"stat": "FAIL", "code": 40002, "message": "a\x1b[31m\r" + "x" * 1000})
    assert "\x1b" not in error.message
    assert "\r" not in error.message
    assert len(error.message) <= 200


@pytest.mark.parametrize("code", ["40103", True, None, 4.5, 40301, 10**30])
def test_code_that_does_not_fit_the_status_is_none(code):
    """The first three digits of a code are the HTTP status."""
    assert _refusal(401, {"stat": "FAIL", "code": code, "message": None}).code == 0


@pytest.mark.parametrize(
    ("status", "code", "rate_limit", "clock", "wrong_generation", "refuses_us"),
    [
        (400, 40002, False, False, False, True),
        (401, 40102, False, False, False, True),
        (401, 40105, False, True, False, True),
        (403, 40301, False, False, True, True),
        (403, 40302, False, False, False, True),
        (404, 40401, False, False, True, True),
        (429, 42901, True, False, False, True),
        (500, 50000, False, False, False, False),
        (503, 0, False, False, False, False),
    ],
)
def test_statuses_are_sorted(status, code, rate_limit, clock, wrong_generation, refuses_us):
    """4xx refuses us; 429, 40105, 40301 and 404 mean something of their own; 5xx is trouble."""
    error = _refusal(status, {"stat": "FAIL", "code": code, "message": "m"})
    assert (error.is_rate_limit, error.is_clock) == (rate_limit, clock)
    assert (error.is_wrong_generation, error.refuses_us) == (wrong_generation, refuses_us)
