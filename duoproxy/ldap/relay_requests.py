"""The requests of one client that have no answer yet, and under which message ids the directory knows them.

Also how far a stream may go on as it is. Nearly all that is relayed are requests of a bound client under ids of its
own, and their answers: such messages need not be cut out of the octets that came, nor put together again. Anything
else, and anything unusual, ends the run, and the machine (`duoproxy.ldap.relay`) looks at it; a run decides nothing
that the machine would decide otherwise.

Message ids: the client's own serve towards the directory too where they only grow, as those of all usual clients do;
all others, and those of requests of our own, are taken from the ids above `MAX_OWN_ID`, so that they stand in no
client's way. No id is used twice on a connection to the directory: a late answer belongs to nobody else.

Source: RFC 4511 §4.1.1, §4.1.1.1.
"""

from __future__ import annotations

from typing import Final

from duoproxy.ldap.ber import ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, fault
from duoproxy.ldap.framing import CONTROLS_TAG, MAX_MESSAGE_ID, MessageHead
from duoproxy.ldap.messages import FINAL_RESPONSE, Request, Response

MAX_OUTSTANDING: Final = 1_000
"""Requests of one client that have no answer yet."""
MAX_OWN_ID: Final = 1 << 30
"""Greater ids of clients are replaced, so that there are always ids left that are greater still."""

_PLAIN_REQUESTS: Final = frozenset({Request.SEARCH, Request.MODIFY, Request.ADD, Request.DELETE, Request.MODIFY_DN})
"""Nothing in them concerns a relay once their client may send them: no bind, no StartTLS, no message id, no password to
be checked."""
_SEARCH_PARTS: Final = frozenset({Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE})
_LONGEST_FORM: Final = 0x84
"""The first octet of the longest length that a run takes: four octets follow, as Active Directory always writes."""
_ID_OCTETS: Final = 4


class Requests:
    """What one client asked for on its connection to the directory.

    Attributes:
        in_flight: message id towards the directory to the client's own, and the request's tag.
        upstream_ids: the client's message id to the one towards the directory.
    """

    def __init__(self) -> None:
        self.in_flight: dict[int, tuple[int, int]] = {}
        self.upstream_ids: dict[int, int] = {}
        self._highest_own = 0
        self._highest_replaced = MAX_OWN_ID

    @property
    def is_full(self) -> bool:
        """Whether no further one is taken."""
        return len(self.in_flight) >= MAX_OUTSTANDING

    @property
    def goodbye_id(self) -> int:
        """An id for the last message of a connection."""
        return self._highest_own + 1

    def take(self, head: MessageHead) -> int:
        """Note a request that goes on; give its id towards the directory.

        Raises:
            RemoteProtocolError: CLOSE: all ids are used up.
        """
        upstream_id = self.next_id(head.message_id)
        self.in_flight[upstream_id] = (head.message_id, head.operation_tag)
        self.upstream_ids[head.message_id] = upstream_id
        return upstream_id

    def next_id(self, wanted: int = 0) -> int:
        """Give the id wanted where it and all lower ones are past use, else one that no client has.

        Raises:
            RemoteProtocolError: CLOSE: all ids are used up.
        """
        if self._highest_own < wanted <= MAX_OWN_ID:
            self._highest_own = wanted
            return wanted
        if self._highest_replaced >= MAX_MESSAGE_ID:
            raise fault("all message ids of this connection are used up")
        self._highest_replaced += 1
        return self._highest_replaced

    def was_used(self, upstream_id: int) -> bool:
        """Whether the directory may have seen an id on this connection."""
        return upstream_id <= self._highest_own or MAX_OWN_ID < upstream_id <= self._highest_replaced

    def finish(self, upstream_id: int) -> None:
        """Forget a request that is in flight."""
        client_id, _ = self.in_flight.pop(upstream_id)
        del self.upstream_ids[client_id]

    def abandon(self, client_id: int) -> int | None:
        """Forget a request of the client's; give its id towards the directory, None when there is none."""
        upstream_id = self.upstream_ids.pop(client_id, None)
        if upstream_id is not None:
            del self.in_flight[upstream_id]
        return upstream_id

    def forget(self) -> list[int]:
        """Forget all that is in flight; give their ids towards the directory."""
        forgotten = list(self.in_flight)
        self.in_flight.clear()
        self.upstream_ids.clear()
        return forgotten

    def restart(self) -> None:
        """Forget everything: the next connection to the directory begins anew."""
        self.forget()
        self._highest_own, self._highest_replaced = 0, MAX_OWN_ID

    # ── runs ───────────────────────────────────────────────────────────────────────────────────────────────────
    def run_of_requests(self, octets: bytes, max_message_bytes: int) -> int:
        """Note the requests at the front that go on as they are; give where the first other message begins.

        Args:
            octets: of a client that may send any request, from the begin of a message on.
            max_message_bytes: a longer message ends the run.
        """
        at, end, room = 0, len(octets), MAX_OUTSTANDING - len(self.in_flight)
        while at < end and room > 0:
            message = _peek(octets, at, end)
            if message is None:
                break
            message_id, tag, contents, operation_end, behind = message
            if not self._highest_own < message_id <= MAX_OWN_ID or tag not in _PLAIN_REQUESTS:
                break
            if behind - at > max_message_bytes or message_id in self.upstream_ids:
                break
            if tag == Request.SEARCH and not _begins_like_search(octets, contents, operation_end):
                break
            self._highest_own = message_id
            self.in_flight[message_id] = (message_id, tag)
            self.upstream_ids[message_id] = message_id
            at, room = behind, room - 1
        return at

    def run_of_answers(self, octets: bytes, max_message_bytes: int) -> int:
        """Note the answers at the front that go on as they are; give where the first other message begins.

        Args:
            octets: of the directory, from the begin of a message on.
            max_message_bytes: a longer message ends the run.
        """
        at, end, tag_before = 0, len(octets), 0
        while at < end:
            message = _peek(octets, at, end)
            if message is None:
                break
            message_id, tag, _, _, behind = message
            asked = self.in_flight.get(message_id)
            if asked is None or asked[0] != message_id or behind - at > max_message_bytes:
                break
            request = asked[1]
            if tag == FINAL_RESPONSE[request]:
                del self.in_flight[message_id], self.upstream_ids[message_id]
                at = behind
            elif tag in _SEARCH_PARTS and request == Request.SEARCH:
                # The first entry is taken by itself: most searches have only one, and looking for a row costs more.
                at = _skip_alike(octets, at, behind, max_message_bytes) if tag == tag_before else behind
            elif tag == Response.INTERMEDIATE:
                at = behind
            else:
                break
            tag_before = tag
        return at


def _peek(octets: bytes, at: int, end: int) -> tuple[int, int, int, int, int] | None:
    """Look at the message at `at`; None unless it is whole, and of the form that nearly all have.

    Returns:
        message id (negative or 0 where that is what it says), tag, where the operation's contents begin and end, and
        where the next message begins.

    Source: RFC 4511 §4.1.1.
    """
    try:
        if octets[at] != SEQUENCE:
            return None
        length, at = octets[at + 1], at + 2
        if length >= 0x80:
            if not 0x80 < length <= _LONGEST_FORM:
                return None
            begin, at = at, at + length - 0x80
            length = int.from_bytes(octets[begin:at], "big")
        behind = at + length
        count = octets[at + 1]
        if behind > end or octets[at] != INTEGER or not 0 < count <= _ID_OCTETS:
            return None
        operation = at + 2 + count
        message_id = int.from_bytes(octets[at + 2 : operation], "big", signed=True)
        length, contents = octets[operation + 1], operation + 2
        if length >= 0x80:
            if not 0x80 < length <= _LONGEST_FORM:
                return None
            begin, contents = contents, contents + length - 0x80
            length = int.from_bytes(octets[begin:contents], "big")
        operation_end = contents + length
        if operation_end != behind and not _are_controls(octets, operation_end, behind):
            return None
    except IndexError:
        return None
    return message_id, octets[operation], contents, operation_end, behind


def _skip_alike(octets: bytes, at: int, behind: int, max_message_bytes: int) -> int:
    """Skip the message from `at` to `behind`, and all that follow with its id and tag and without controls.

    The entries of searches are most of what is relayed, so as little as possible is done for each.
    """
    begin = at + 2 + (octets[at + 1] - 0x80 if octets[at + 1] >= 0x80 else 0)
    alike = octets[begin : begin + 3 + octets[begin + 1]]  # id and tag
    alike_bytes, end = len(alike), len(octets)
    try:
        while behind < end:
            at = behind
            length, begin = octets[at + 1], at + 2
            if length >= 0x80:
                if not 0x80 < length <= _LONGEST_FORM:
                    return at
                begin += length - 0x80
                length = int.from_bytes(octets[at + 2 : begin], "big")
            next_at, inside = begin + length, begin + alike_bytes + 1
            if next_at > end or octets[at] != SEQUENCE or not octets.startswith(alike, begin):
                return at
            length = octets[inside - 1]
            if length >= 0x80:
                if not 0x80 < length <= _LONGEST_FORM:
                    return at
                inside += length - 0x80
                length = int.from_bytes(octets[begin + alike_bytes + 1 : inside], "big")
            if inside + length != next_at or next_at - at > max_message_bytes:
                return at
            behind = next_at
    except IndexError:
        return at
    return behind


def _are_controls(octets: bytes, at: int, end: int) -> bool:
    """Whether controls, and nothing else, stand from `at` to `end`."""
    if at + 2 > end or octets[at] != CONTROLS_TAG:
        return False
    length, at = octets[at + 1], at + 2
    if length >= 0x80:
        if not 0x80 < length <= _LONGEST_FORM:
            return False
        begin, at = at, at + length - 0x80
        length = int.from_bytes(octets[begin:at], "big")
    return at + length == end


def _begins_like_search(octets: bytes, at: int, end: int) -> bool:
    """Whether a short DN and a scope stand at the begin of an operation. Source: RFC 4511 §4.5.1."""
    if at + 2 > end or octets[at] != OCTET_STRING or octets[at + 1] >= 0x80:
        return False
    scope = at + 2 + octets[at + 1]
    return scope + 3 <= end and octets[scope] == ENUMERATED and octets[scope + 1] == 1
