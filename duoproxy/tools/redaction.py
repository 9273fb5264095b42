"""Takes secrets out of text that is given to others: known ones in every spelling, unknown ones by where they stand.

A known secret is looked for as it is, in hex, percent-encoded, as a JSON or Python string escapes it, and in base64 at
each of its three alignments. Unknown ones (a password in a line of some other program's log) are taken out behind
`password=`, in `Authorization:` headers, in `https://user:password@`, and as PEM keys.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from duoproxy.secret import MASK

MIN_SECRET_BYTES: Final = 4
"""Shorter ones would be found everywhere."""
MAX_SECRETS: Final = 5_000
"""Known secrets that are looked for."""
MIN_CORE_CHARACTERS: Final = 6
"""Of base64: a shorter one stands in any text."""

_MASK: Final = MASK.encode()
_BASE64_RUN: Final = re.compile(rb"[A-Za-z0-9+/_=-]*")
_WORDS: Final = (b"password", b"passwd", b"passphrase", b"passcode", b"secret", b"skey", b"pwd", b"token")
_NAME: Final = rb"(?i)(\b[a-z0-9_-]{0,40}(?:" + b"|".join(_WORDS) + rb")[a-z0-9_]{0,20}"
_QUOTED: Final = rb"(?:[^'\"\\]|\\.)*"
_AUTHORIZATION: Final = rb"(?i)(\b(?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|negotiate|ntlm)\s+)"
_KEY: Final = re.compile(
    rb"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----).*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
# Words in small letters, of which one stands in each line that the patterns fit, and what is kept of what they find.
_RULES: Final[tuple[tuple[tuple[bytes, ...], bytes, bytes], ...]] = (
    ((b"authorization",), _AUTHORIZATION + rb"[^\s'\"]+", rb"\g<1>" + _MASK),
    ((b"://",), rb"([a-z][a-z0-9+.-]{1,15}://[^\s/:@'\"]{0,256}:)[^\s@'\"]{1,256}(@)", rb"\g<1>" + _MASK + rb"\g<2>"),
    (_WORDS, _NAME + rb"['\"]\s*:\s*['\"])" + _QUOTED, rb"\g<1>" + _MASK),
    (_WORDS, _NAME + rb"\s*=\s*b?['\"])" + _QUOTED, rb"\g<1>" + _MASK),
    (_WORDS, _NAME + rb"=)[^\s&;,'\"]+", rb"\g<1>" + _MASK),
)
_COMPILED: Final = tuple((words, re.compile(pattern), kept) for words, pattern, kept in _RULES)


class Redactor:
    """Knows the secrets of one installation."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        """Prepare; secrets that are too short to be told from other text are left out."""
        known = sorted({secret for secret in secrets if len(secret) >= MIN_SECRET_BYTES}, key=len, reverse=True)
        kept = known[:MAX_SECRETS]
        forms = {form for secret in kept for form in spellings(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._cores = sorted({core for secret in kept for core in base64_cores(secret)}, key=len, reverse=True)

    def known(self, octets: bytes) -> bytes:
        """Take the known secrets out."""
        for form in self._forms:
            octets = octets.replace(form, _MASK)
        for core in self._cores:
            octets = _without_base64(octets, core)
        return octets

    def all(self, octets: bytes) -> bytes:
        """Take the known secrets out, and what looks like one by where it stands; for logs."""
        octets = _KEY.sub(rb"\g<1>" + _MASK + rb"\g<2>", octets)
        return self.known(b"\n".join(map(_without_unknown, octets.split(b"\n"))))


def _without_unknown(line: bytes) -> bytes:
    """Take out of a line what stands where secrets stand."""
    folded = line.lower()
    for words, pattern, kept in _COMPILED:
        if any(word in folded for word in words):
            line = pattern.sub(kept, line)
    return line


def spellings(secret: bytes) -> Iterator[bytes]:
    """Give how a secret may be written, base64 aside."""
    yield secret
    for separator in ("", ":", " ", "-"):
        spelled = secret.hex(separator) if separator else secret.hex()
        yield spelled.encode()
        yield spelled.upper().encode()
    for safe in ("", "/"):
        encoded = quote(secret, safe=safe)
        yield from {encoded.encode(), _lower_percent(encoded).encode()}
    every = "".join(f"%{octet:02X}" for octet in secret)
    yield from (quote_plus(secret).encode(), every.encode(), every.lower().encode())
    text = secret.decode("utf-8", "surrogateescape")
    yield repr(secret)[2:-1].encode()
    yield repr(text)[1:-1].encode("utf-8", "surrogateescape")
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
    yield text.encode("utf-16-le", "surrogatepass")


def base64_cores(secret: bytes) -> Iterator[bytes]:
    """Give the characters of base64 that a secret alone decides, for each alignment and both alphabets."""
    for before in range(3):
        padded = bytes(before) + secret + bytes(3)
        first, last = -(-8 * before // 6), 8 * (before + len(secret)) // 6
        for encoded in (base64.b64encode(padded), base64.urlsafe_b64encode(padded)):
            core = encoded[first:last]
            if len(core) >= min(MIN_CORE_CHARACTERS, last - first):
                yield core


def _lower_percent(encoded: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


def _without_base64(octets: bytes, core: bytes) -> bytes:
    """Take out every run of base64 in which a core stands: what is left of it would show its ends."""
    at = octets.find(core)
    if at < 0:
        return octets
    parts: list[bytes] = []
    done = 0
    while at >= 0:
        begin = at
        while begin > done and _BASE64_RUN.fullmatch(octets, begin - 1, begin):
            begin -= 1
        run = _BASE64_RUN.match(octets, at)
        end = run.end() if run is not None else at + len(core)
        parts += [octets[done:begin], _MASK]
        done = end
        at = octets.find(core, done)
    return b"".join([*parts, octets[done:]])
