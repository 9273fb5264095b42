"""What a user types: a factor or none, and readings of the password field that lose nothing."""

from __future__ import annotations

from duoproxy.duoapi.messages import Factor
from duoproxy.login.factors import AppendMode, parse_factor, parse_factor_word, read_password_field
from duoproxy.secret import Secret
from tests.fuzz.shaping import first_octet

WORDS = (
    b",push",
    b",phone2",
    b",sms1",
    b",auto",
    b",123456",
    b",cccccccccccccccccccccccccccccccccccccccccccc",
    b"PUSH99",
)
DELIMITERS = (",", ";;", " ", "push", "ä")


def target(data: bytes) -> None:
    chosen, octets = first_octet(data)
    text = octets.decode("utf-8", "surrogateescape")
    typed = parse_factor(text)
    if typed is not None:
        assert typed.number is None or 0 < typed.number < 100
        assert (typed.factor is Factor.PASSCODE) == (typed.passcode is not None)
        assert typed.passcode is None or typed.passcode.reveal_text() == text.strip()
        assert typed.passcode is not None or parse_factor_word(text) == typed
    else:
        assert parse_factor_word(text) is None
    mode = AppendMode(bool(chosen & 1), DELIMITERS[chosen // 2 % 5], (0, 0, 0, 4, 8)[chosen // 10 % 5])
    _readings(octets, mode)


def _readings(octets: bytes, mode: AppendMode) -> None:
    candidates = read_password_field(Secret(octets), mode)
    assert 1 <= len(candidates) <= 2
    for candidate in candidates:
        assert octets.startswith(candidate.password.reveal())
    if mode.password_length:
        assert len(candidates) == 1
        assert len(candidates[0].password.reveal_text()) <= mode.password_length
        return
    # The whole field is always a reading, and the only one where appending is off.
    assert candidates[-1].password.reveal() == octets
    assert candidates[-1].typed is None
    assert mode.allow_concat or len(candidates) == 1
    if len(candidates) == 2:
        split, delimiter = candidates[0].password.reveal(), mode.delimiter.encode()
        assert octets.startswith(split + delimiter)
        assert candidates[0].typed == parse_factor(octets[len(split + delimiter) :].decode("utf-8", "surrogateescape"))
