"""Text from the service, made fit for a user, a log line and a packet.

Owns the cleaning of status messages, labels and prompts. What the service says is shown, so it is bounded in length and
cannot carry control characters or text that is no Unicode.
"""

from __future__ import annotations

MAX_TEXT_CHARACTERS = 1000
MASKED_DIGITS = 4

_KEPT_CONTROLS = frozenset("\n\t")


def clean_text(text: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Cut a text, drop control characters but line feed and tab, and replace what is no Unicode.

    Args:
        text: as JSON gave it.
        limit: characters.
    """
    valid = text[:limit].encode("utf-8", "replace").decode("utf-8")
    return "".join(mark for mark in valid if mark in _KEPT_CONTROLS or mark.isprintable()).strip()


def masked_number(number: str) -> str:
    """Show the last four digits of a phone number, as `XXX-XXX-1234`; one that is masked already is kept so."""
    digits = [mark for mark in number if mark.isdigit()]
    if len(digits) < MASKED_DIGITS:
        return ""
    return "XXX-XXX-" + "".join(digits[-MASKED_DIGITS:])
