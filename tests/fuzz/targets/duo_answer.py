"""The HTTP answer of Duo's service: a content, or an error that can be logged."""

from __future__ import annotations

import json

from duoproxy.duoapi.answers import ErrorAnswer, HttpAnswer, UnexpectedAnswer, read_answer

STATUSES = (200, 200, 200, 200, 400, 401, 403, 404, 429, 500, 503, 301, 204, 100)
WORDS = (
    *(b'{"stat": "OK", "response": ', b'{"stat": "FAIL", "code": 40103, ', b'"message": "', b'"message_detail": "'),
    *(b'"stat"', b'"code"', b"null", b"true", b"1e999", b"NaN", b"[[[[[[[[", b'{"":', b"\\ud800", b"\xef\xbb\xbf"),
)


def target(data: bytes) -> None:
    status, body = (STATUSES[data[0] % len(STATUSES)], data[1:]) if data else (200, b"")
    try:
        content = read_answer(HttpAnswer(status, body))
    except ErrorAnswer as error:
        assert error.status == status >= 400
        assert error.code == 0 or error.code // 100 == status
        assert all(mark.isprintable() or mark in "\n\t" for mark in str(error))
        assert len(str(error)) < 500
        return
    except UnexpectedAnswer as error:
        assert status < 400
        assert str(error).isprintable()
        return
    assert status == 200
    envelope = json.loads(body)
    assert envelope["stat"] == "OK"
    assert repr(envelope["response"]) == repr(content)
