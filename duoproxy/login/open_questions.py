"""How many questions to one user may be open at once: pushes and calls that wait for a person.

Each of them keeps a conversation open that nobody may give up, and rings a telephone. Without a bound one valid
password would buy all places of a listener, and a telephone that never stops. Passcodes ring nowhere, and are always
checked.
"""

from __future__ import annotations

import unicodedata

from duoproxy.duoapi.messages import AuthQuery, Factor

MAX_QUESTIONS_OF_USER = 8
"""Enough for a few people who share one account."""


def account_of(username: str) -> str:
    r"""Spell the account behind a name in one way: `CORP\Ålice` and `alice@example.com` are `alice`.

    Only for counting: several people may share one spelling, but nobody makes himself many by another one.
    """
    local = username.strip().rpartition("\\")[2]
    local = local.partition("@")[0] or local
    letters = (letter for letter in unicodedata.normalize("NFKD", local.casefold()) if letter.isalnum())
    return "".join(letters) or username


class OpenQuestions:
    """Counts, for all sections together. Whatever is counted waits for Duo, which is bounded, and so is this table."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def __len__(self) -> int:
        """How many users are being asked."""
        return len(self._open)

    def begin(self, query: AuthQuery) -> bool:
        """Tell whether a question may be put; if so, `end` it."""
        if query.factor not in _RINGING:
            return True
        account = account_of(query.username)
        if self._open.get(account, 0) >= MAX_QUESTIONS_OF_USER:
            return False
        self._open[account] = self._open.get(account, 0) + 1
        return True

    def end(self, query: AuthQuery) -> None:
        """Note that a question that `begin` let pass was answered, or will not be."""
        if query.factor not in _RINGING:
            return
        account = account_of(query.username)
        left = self._open.get(account, 0) - 1
        if left > 0:
            self._open[account] = left
        else:
            self._open.pop(account, None)


_RINGING = frozenset({Factor.PUSH, Factor.PHONE})
