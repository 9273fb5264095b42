"""Looks for a secret in octets, written down apart from the code that takes secrets out."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus


def leaks(octets: bytes, secret: bytes) -> list[str]:
    """Name the forms in which a secret stands there: plain, hex, URL, base64 at each alignment."""
    folded = octets.lower()
    found = [
        name
        for name, form in {
            "plain": secret,
            "utf-16": secret.decode("latin-1").encode("utf-16-le"),
            "url": quote(secret).encode(),
            "url, all": quote(secret, safe="").encode(),
            "form": quote_plus(secret).encode(),
        }.items()
        if form in octets
    ]
    for name, form in {
        "hex": secret.hex(),
        "hex, colons": secret.hex(":"),
        "every octet percent-encoded": "".join(f"%{octet:02x}" for octet in secret),
    }.items():
        if form.encode() in folded:
            found.append(name)
    for alignment in range(3):
        # Whole groups of three octets, which no neighbour changes.
        begin = (3 - alignment) % 3
        whole = secret[begin : begin + (len(secret) - begin) // 3 * 3]
        spelled = {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}
        if len(whole) >= 6 and any(one in octets for one in spelled):
            found.append(f"base64, alignment {alignment}")
    return found
