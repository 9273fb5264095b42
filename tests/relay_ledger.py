"""What a relay of LDAP must never do, held against every action of it: for property tests and the fuzzer.

The ledger plays both ends: it knows which requests have no answer yet, whom the directory takes the connection for, and
whether the client was told that it is bound.
"""

from __future__ import annotations

import contextlib

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import (
    FINAL_RESPONSE,
    Request,
    Response,
    asks_root_dse,
    read_abandoned,
    read_bind,
    read_result,
)
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import Action, DropServer, EndClient, JudgeBind, ToClient, ToServer
from duoproxy.ldap.relay_table import Phase

PARTS = {Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE, Response.INTERMEDIATE}


class RelayLedger:
    """Watches one machine.

    Attributes:
        relay: the machine.
        ended: whether it has ended the client's connection.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.ended = False
        self._asked: dict[int, int] = {}
        self._used_upstream: set[int] = set()
        self._session_is_bound = False
        self._was_accepted = False
        self._sent_bind_id = 0

    def client_says(self, octets: bytes) -> list[Action]:
        """Feed a message of the client."""
        was_binding, was_ended = self.relay.phase is Phase.BINDING, self.ended
        head = None
        if not was_ended:
            with contextlib.suppress(RemoteProtocolError):  # the machine has its own word about it
                head = peek_message(octets)
            if head is not None and head.operation_tag == Request.BIND and not was_binding:
                self._asked.clear()  # RFC 4511 §4.2.1: what was under way is abandoned
            if head is not None and head.operation_tag in FINAL_RESPONSE:
                self._asked.setdefault(head.message_id, head.operation_tag)
        before = self.relay.phase
        actions = self.relay.from_client(octets)
        if was_ended:
            assert not actions, "a connection that has ended says nothing"
        if was_binding:
            assert not any(isinstance(action, ToServer | JudgeBind) for action in actions), "a bind is under way"
        for action in actions:
            if isinstance(action, ToServer) and before is Phase.ANONYMOUS:
                self._goes_on_without_bind(action.octets)
        self.note(actions)
        return actions

    def _goes_on_without_bind(self, octets: bytes) -> None:
        head = peek_message(octets)
        root_dse = head.operation_tag == Request.SEARCH and asks_root_dse(octets, head)
        assert root_dse or head.operation_tag == Request.ABANDON, "nothing else goes on before a bind"

    def server_says(self, octets: bytes) -> list[Action]:
        """Feed a message of the directory."""
        head = peek_message(octets)
        if head.message_id == self._sent_bind_id and head.operation_tag == Response.BIND:
            with contextlib.suppress(RemoteProtocolError):  # the machine has its own word about it
                self._session_is_bound = self._session_is_bound or read_result(octets, head)[0] == 0
        actions = self.relay.from_server(octets)
        self.note(actions)
        return actions

    def accepts(self) -> None:
        """Accept the login that is under way."""
        self._was_accepted = True
        self.note(self.relay.accept_bind())
        self._was_accepted = False

    def note(self, actions: list[Action]) -> None:
        """Hold the rules against actions."""
        for action in actions:
            if isinstance(action, ToServer):
                self._to_server(action.octets)
            elif isinstance(action, ToClient):
                self._to_client(action.octets)
            elif isinstance(action, DropServer):
                self.new_session()
            elif isinstance(action, EndClient):
                self.ended = True
        if self.relay.phase is Phase.ANONYMOUS:
            assert not self._session_is_bound, "whoever is nobody here is nobody there"

    def new_session(self) -> None:
        """The connection to the directory has ended; the next one begins anew."""
        self._used_upstream.clear()
        self._session_is_bound, self._sent_bind_id = False, 0

    def _to_server(self, octets: bytes) -> None:
        head = peek_message(octets)
        assert head.message_id not in self._used_upstream, "no id is used twice"
        self._used_upstream.add(head.message_id)
        if head.operation_tag == Request.BIND:
            request = read_bind(octets, head)
            assert request.password is not None, "only simple binds"
            assert request.name, "nobody binds as nobody"
            assert len(request.password), "an empty password reaches no directory"
            self._sent_bind_id = head.message_id
        if head.operation_tag == Request.ABANDON:
            assert read_abandoned(octets, head) in self._used_upstream

    def _to_client(self, octets: bytes) -> None:
        head = peek_message(octets)
        if head.message_id == 0:
            assert head.operation_tag == Response.EXTENDED
            return
        request = self._asked.get(head.message_id)
        assert request is not None, "nobody asked that"
        if head.operation_tag in PARTS:
            return
        assert head.operation_tag == FINAL_RESPONSE[request], "the answer is of the kind of the question"
        del self._asked[head.message_id]
        if head.operation_tag == Response.BIND and read_result(octets, head)[0] == 0:
            assert self._was_accepted, "a yes that nobody accepted"
            assert self._session_is_bound

    def abandoned(self, message_id: int) -> None:
        """The client needs no answer to this any more."""
        self._asked.pop(message_id, None)
