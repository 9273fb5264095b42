"""Between one client and the directory: who the client is, which of its messages go on, and under which message id.

The machine of one client connection. Octets of whole messages go in, from both sides, and the ends of logins; actions
come out. It decodes binds, StartTLS, Unbind, Abandon and Cancel; everything else goes on as it came, but for the
message id. It must not know who may log in: a bind is handed out to be judged, and until it is accepted nothing of the
client's goes on, and the directory's yes is held back.

The directory never takes the connection for more than the client was told: a bind that fails, for whatever reason,
leaves the client anonymous, and a connection to the directory that was bound is ended with it.

Message ids: the client's own serve towards the directory too where they only grow, as those of all usual clients do;
others are replaced. No id is used twice on a connection to the directory, so a late answer belongs to nobody else.

Source: RFC 4511 §4.1.1.1, §4.2.1, §4.4.1, §4.11, §4.14; RFC 4513 §5.1; RFC 3909; RFC 4532.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import MessageHead, peek_message
from duoproxy.ldap.messages import (
    FINAL_RESPONSE,
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    Request,
    Response,
    ResultCode,
    read_abandoned,
    read_bind,
    read_cancelled,
    read_response_name,
    with_message_id,
    write_abandon,
    write_cancel,
    write_extended_response,
    write_notice_of_disconnection,
    write_result,
    write_unbind,
)
from duoproxy.ldap.relay_actions import (
    Action,
    BeginTls,
    BindAnswered,
    BindLost,
    DropServer,
    EndClient,
    GiveUpBind,
    JudgeBind,
    ToClient,
    ToServer,
    WhoAnswered,
)
from duoproxy.ldap.relay_bind import BindCount, PendingBind
from duoproxy.ldap.relay_policy import RelayPolicy, why_refused
from duoproxy.ldap.relay_requests import MAX_OUTSTANDING, Requests
from duoproxy.ldap.relay_table import TREATMENTS, Arrival, Phase, Treatment, arrival_of
from duoproxy.secret import Secret

_SEARCH_PARTS: Final = frozenset({Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE})


class Relay:
    """The machine of one client connection.

    Attributes:
        phase: who the client is.
    """

    def __init__(self, policy: RelayPolicy, *, over_tls: bool = False) -> None:
        """Begin anonymous.

        Args:
            policy: the administrator's.
            over_tls: TLS is there from the first octet on (LDAPS).
        """
        self.phase = Phase.ANONYMOUS
        self._policy = policy
        self._over_tls = over_tls
        self._bind: PendingBind | None = None
        self._binds = BindCount()
        self._may_search = True
        self._server_was_bound = False
        self._requests = Requests()
        self._treat: Mapping[Treatment, Callable[[MessageHead, bytes, Arrival], list[Action]]] = {
            Treatment.BEGIN_BIND: self._begin_bind,
            Treatment.BEGIN_TLS: self._begin_tls,
            Treatment.END: self._leave,
            Treatment.ABANDON: self._abandon,
            Treatment.FORWARD: self._forward,
            Treatment.FORWARD_SEARCH: self._forward_search,
            Treatment.FORWARD_CHECK: self._forward_check,
            Treatment.NEEDS_BIND: self._needs_bind,
            Treatment.OUT_OF_TURN: self._out_of_turn,
            Treatment.IGNORE: self._ignore,
        }

    @property
    def waits_for_server(self) -> bool:
        """Whether the directory owes an answer."""
        return bool(self._requests.in_flight) or (self._bind is not None and self._bind.waits_for_server)

    # ── what goes on as it is ──────────────────────────────────────────────────────────────────────────────────
    def pass_requests(self, octets: bytes, max_message_bytes: int) -> int:
        """Take the messages at the front that go on unchanged, and give where the first other one begins.

        What is passed was as if `from_client` had said `ToServer` with the same octets for each message.

        Args:
            octets: of the client, from the begin of a message on.
            max_message_bytes: a longer message is not passed.
        """
        if self.phase is not Phase.BOUND or not self._may_search:
            return 0
        return self._requests.run_of_requests(octets, max_message_bytes)

    def pass_answers(self, octets: bytes, max_message_bytes: int) -> int:
        """Do the same for octets of the directory: as if `from_server` had said `ToClient`."""
        return self._requests.run_of_answers(octets, max_message_bytes)

    # ── from the client ────────────────────────────────────────────────────────────────────────────────────────
    def from_client(self, octets: bytes) -> list[Action]:
        """Take one whole message of the client; what is no LDAP ends the connection. Source: RFC 4511 §4.1.1."""
        if self.phase is Phase.CLOSING:
            return []
        try:
            head = peek_message(octets)
            arrival = arrival_of(octets, head)
            if arrival is not Arrival.UNBIND:
                self._require_free(head.message_id)
            return self._treat[TREATMENTS[self.phase, arrival]](head, octets, arrival)
        except RemoteProtocolError as reason:
            return self.end(ResultCode.PROTOCOL_ERROR, str(reason))

    def _require_free(self, message_id: int) -> None:
        """Source: RFC 4511 §4.1.1.1."""
        pending = self._bind.message_id if self._bind is not None else 0
        if message_id == 0 or message_id == pending or message_id in self._requests.upstream_ids:
            raise fault(f"the message id {message_id} is not to be used for a request now")

    def _forward(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        if self._requests.is_full:
            return [
                _refused(head, ResultCode.BUSY, f"{MAX_OUTSTANDING} requests of this connection wait for an answer")
            ]
        if arrival is Arrival.CANCEL:
            return self._forward_cancel(head, octets)
        return [ToServer(with_message_id(octets, head, self._requests.take(head)))]

    def _forward_cancel(self, head: MessageHead, octets: bytes) -> list[Action]:
        """Source: RFC 3909 §2.1: what is to be cancelled has its own id, which the directory knows by another."""
        cancelled = self._requests.upstream_ids.get(read_cancelled(octets, head))
        if cancelled is None:
            return [_refused(head, ResultCode.NO_SUCH_OPERATION, "no request with this message id is under way")]
        return [ToServer(write_cancel(self._requests.take(head), cancelled, octets[head.operation_end :]))]

    def _forward_search(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        if self._may_search:
            return self._forward(head, octets, arrival)
        text = "Searches are not allowed on this connection (allow_searches_after_bind of the authentication proxy)."
        return [_refused(head, ResultCode.UNWILLING_TO_PERFORM, text)]

    def _forward_check(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        """The directory's yes would be a login that nobody was asked about."""
        if not self._policy.allow_password_checks:
            text = "Passwords are checked by a bind here (allow_password_checks of the authentication proxy)."
            return [_refused(head, ResultCode.UNWILLING_TO_PERFORM, text)]
        forward = self._forward if self.phase is Phase.BOUND else self._needs_bind
        return forward(head, octets, arrival)

    def _needs_bind(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        if self._policy.allow_anonymous:
            return self._forward(head, octets, arrival)
        text = "Bind first (allow_anonymous of the authentication proxy)."
        return [_refused(head, ResultCode.STRONGER_AUTH_REQUIRED, text)]

    def _out_of_turn(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        """Source: RFC 4511 §4.2.1, App. A (operationsError: not in its turn)."""
        text = "A bind is under way on this connection: wait for its answer."
        return [_refused(head, ResultCode.OPERATIONS_ERROR, text)]

    def _ignore(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        return []

    def _abandon(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        """Source: RFC 4511 §4.11: there is no answer, neither to this nor to what it names."""
        upstream_id = self._requests.abandon(read_abandoned(octets, head))
        if upstream_id is None:
            return []
        return [ToServer(write_abandon(self._requests.next_id(head.message_id), upstream_id))]

    def _leave(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        """Source: RFC 4511 §4.3."""
        return [*self._closing("the client said goodbye"), EndClient()]

    def _begin_tls(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        """Source: RFC 4511 §4.14.1, §4.14.2."""
        if not self._policy.offers_tls:
            text = "There is no TLS here: the authentication proxy has no certificate (ssl_cert_path, ssl_key_path)."
            return [_refused(head, ResultCode.PROTOCOL_ERROR, text)]
        if self._over_tls or self._requests.in_flight:
            text = "TLS is there already." if self._over_tls else "StartTLS waits for the answers to other requests."
            return [_refused(head, ResultCode.OPERATIONS_ERROR, text)]
        self._over_tls = True
        return [ToClient(write_extended_response(head.message_id, ResultCode.SUCCESS, name=START_TLS)), BeginTls()]

    # ── binds ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _begin_bind(self, head: MessageHead, octets: bytes, arrival: Arrival) -> list[Action]:
        """Whatever comes of it, who was bound is no longer, and what was under way is abandoned.

        Source: RFC 4511 §4.2.1; RFC 4513 §4.
        """
        request = read_bind(octets, head)
        actions = self._abandon_all()
        self._bind = PendingBind(head.message_id, request)
        self.phase = Phase.BINDING
        refusal = why_refused(request, self._policy)
        if refusal is not None:
            return [*actions, *self.refuse_bind(*refusal)]
        if request.is_anonymous:
            return [*actions, *self.send_bind(b"", Secret(b""))]
        if not self._binds.has_room(self._policy):
            return [*actions, *self._too_many_binds(head)]
        self._binds.count += 1
        return [*actions, JudgeBind(request, self._binds.count)]

    def _too_many_binds(self, head: MessageHead) -> list[Action]:
        often = "once" if self._binds.count == 1 else f"{self._binds.count} times"
        text = (
            f"This connection has bound {often}, which is as often as it may: connect anew, or set "
            "allow_unlimited_binds=true of the authentication proxy."
        )
        refused = write_result(head.message_id, Response.BIND, ResultCode.UNWILLING_TO_PERFORM, text)
        self._bind = None
        return [ToClient(refused), *self.end(ResultCode.UNWILLING_TO_PERFORM, text)]

    def _abandon_all(self) -> list[Action]:
        """Abandon what is under way, so that nothing of whoever was bound before is left. Source: RFC 4511 §4.2.1."""
        abandoned = self._requests.forget()
        return [ToServer(write_abandon(self._requests.next_id(), upstream_id)) for upstream_id in abandoned]

    def send_bind(self, name: bytes, password: Secret) -> list[Action]:
        """Try a name and a password at the directory; `BindAnswered` follows.

        Args:
            name: whom the directory is told, the client's own or the DN that was found for it.
            password: not empty, unless name and password of the client are.

        Raises:
            RuntimeError: no bind is under way, or one that was sent is not answered yet.
        """
        if self._bind is None or self._bind.waits_for_server:
            raise RuntimeError("there is no bind to send now")
        if not len(password) and not self._bind.request.is_anonymous:
            raise RuntimeError("an empty password must not reach a directory")
        return [ToServer(self._bind.send(self._requests.next_id(self._bind.message_id), name, password))]

    def ask_who(self) -> list[Action]:
        """Ask the directory whom it takes the connection for, after its yes to a bind; `WhoAnswered` follows.

        Raises:
            RuntimeError: there is no yes, or something is still to be answered.

        Source: RFC 4532.
        """
        if self._bind is None or self._bind.waits_for_server or not self._bind.succeeded:
            raise RuntimeError("nobody is bound who could be asked about")
        return [ToServer(self._bind.ask_who(self._requests.next_id()))]

    @property
    def holds_yes(self) -> bool:
        """Whether the directory's yes to the bind under way is held back, and still good: its connection is there."""
        return self._bind is not None and self._bind.succeeded

    def accept_bind(self, *, exempt: bool = False) -> list[Action]:
        """The login is allowed: hand out the directory's yes, which was held back.

        Args:
            exempt: no second factor was asked for, because of who bound or because it was the first bind.
        """
        if self._bind is None:
            return []
        self._binds.note_exemption(exempt)
        if not self._bind.succeeded:
            return self.refuse_bind(ResultCode.UNAVAILABLE, "The connection to the directory was lost: bind again.")
        said = self._bind.answer_for_client()
        self._bind = None
        self.phase = Phase.BOUND
        self._may_search = exempt or self._policy.allow_searches_after_bind
        return [ToClient(said)]

    def refuse_bind(self, code: int, text: str, *, exempt: bool = False, relay: bool = False) -> list[Action]:
        """The login is not allowed: both sides are anonymous from here on.

        Args:
            code: resultCode for the client.
            text: diagnosticMessage for the client.
            exempt: as for `accept_bind`.
            relay: hand out the directory's own no instead, if there is one.
        """
        if self._bind is None:
            return []
        self._binds.note_exemption(exempt)
        bind, self._bind = self._bind, None
        self.phase = Phase.ANONYMOUS
        if relay and bind.failed:
            said = bind.answer_for_client()
        else:
            said = write_result(bind.message_id, Response.BIND, code, text)
        return [*self._drop_bound_server(bind.waits_for_server), ToClient(said)]

    def _drop_bound_server(self, unanswered: bool = False) -> list[Action]:
        """End a connection on which somebody is bound, was bound, or may be after an answer that is still to come."""
        return self._drop_server() if self._server_was_bound or unanswered else []

    # ── from the directory ─────────────────────────────────────────────────────────────────────────────────────
    def from_server(self, octets: bytes) -> list[Action]:
        """Take one whole message of the directory; what does not belong there ends the client's connection, too."""
        if self.phase is Phase.CLOSING:
            return []
        try:
            head = peek_message(octets)
            asked = self._requests.in_flight.get(head.message_id)
            if asked is not None:
                return self._answered(*asked, head, octets)
            return self._not_in_flight(head, octets)
        except RemoteProtocolError as reason:
            return self.server_fault(f"The directory sent something that is no answer: {reason}.")

    def _answered(self, client_id: int, request: int, head: MessageHead, octets: bytes) -> list[Action]:
        tag = head.operation_tag
        if tag == FINAL_RESPONSE[request]:
            self._requests.finish(head.message_id)
        elif tag != Response.INTERMEDIATE and not (tag in _SEARCH_PARTS and request == Request.SEARCH):
            raise fault(f"0x{tag:02x} answers no 0x{request:02x}")
        return [ToClient(with_message_id(octets, head, client_id))]

    def _not_in_flight(self, head: MessageHead, octets: bytes) -> list[Action]:
        if head.message_id == 0:
            return self._unsolicited(head, octets)
        bind = self._bind
        if bind is not None and bind.expects_who(head.message_id):
            return [WhoAnswered(bind.take_who(head, octets))]
        if bind is not None and bind.expects(head.message_id):
            return self._bind_answered(bind, head, octets)
        if not self._requests.was_used(head.message_id):
            raise fault(f"an answer to message {head.message_id}, which was not asked")
        if head.operation_tag == Response.BIND:
            raise fault("a second answer to a bind")  # binds are not abandoned, so none comes late
        return []  # late: what it answers was abandoned

    def _unsolicited(self, head: MessageHead, octets: bytes) -> list[Action]:
        """Source: RFC 4511 §4.4."""
        if head.operation_tag != Response.EXTENDED:
            raise fault("an unsolicited message that is no notification")
        if read_response_name(octets, head) != NOTICE_OF_DISCONNECTION:
            return [ToClient(octets)]
        closing = self._closing("it closes the connection (Notice of Disconnection)", by_directory=True)
        return [ToClient(octets), *closing, EndClient()]

    def _bind_answered(self, bind: PendingBind, head: MessageHead, octets: bytes) -> list[Action]:
        answer = bind.take_answer(head, octets)
        if answer is None:
            return []
        if bind.request.is_anonymous:
            return self._anonymous_answered(bind)
        self._server_was_bound = self._server_was_bound or bind.succeeded
        return [BindAnswered(*answer)]

    def _anonymous_answered(self, bind: PendingBind) -> list[Action]:
        """Whatever the directory said, the client is anonymous there and here."""
        self._bind = None
        self.phase = Phase.ANONYMOUS
        if bind.succeeded:
            self._server_was_bound = False
        return [*self._drop_bound_server(), ToClient(bind.answer_for_client())]

    def server_lost(self, text: str) -> list[Action]:
        """The connection to the directory is gone, or did not come about.

        A bound client loses what it was; an anonymous one gets an answer to each of its requests, and may ask again.

        Args:
            text: for the client.
        """
        if self.phase is Phase.CLOSING:
            return []
        if self.phase is Phase.BOUND:
            return self.end(ResultCode.UNAVAILABLE, text)
        self._server_was_bound = False
        answers: list[Action] = [
            ToClient(write_result(client_id, FINAL_RESPONSE[request], ResultCode.UNAVAILABLE, text))
            for client_id, request in self._requests.in_flight.values()
        ]
        self._requests.restart()
        return answers + self._bind_lost(text)

    def _bind_lost(self, text: str) -> list[Action]:
        """Take back what a bind has reached; whoever judges it hears of a directory that could not answer."""
        if self._bind is None or not self._bind.was_sent:
            return []
        waited = self._bind.waits_for_server
        self._bind.server_lost()
        if self._bind.request.is_anonymous:
            return self.refuse_bind(ResultCode.UNAVAILABLE, text)
        return [BindLost(text)] if waited else []

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────────
    def end(self, code: int, text: str, *, by_directory: bool = False) -> list[Action]:
        """End the connection with a Notice of Disconnection. Source: RFC 4511 §4.4.1.

        Args:
            code: resultCode for the client.
            text: diagnosticMessage for the client, and for the log.
            by_directory: the directory is to blame.
        """
        if self.phase is Phase.CLOSING:
            return []
        closing = self._closing(text, by_directory=by_directory)
        return [*closing, ToClient(write_notice_of_disconnection(code, text)), EndClient(text)]

    def server_fault(self, text: str) -> list[Action]:
        """End the connection because of what the directory sent; `text` says what that was."""
        return self.end(ResultCode.UNAVAILABLE, text, by_directory=True)

    def client_lost(self) -> list[Action]:
        """The client is gone."""
        return self._closing("the client closed the connection") if self.phase is not Phase.CLOSING else []

    def _closing(self, reason: str, *, by_directory: bool = False) -> list[Action]:
        self.phase = Phase.CLOSING
        under_way: list[Action] = [GiveUpBind(reason, by_directory)] if self._bind is not None else []
        self._bind = None
        return under_way + self._drop_server()

    def _drop_server(self) -> list[Action]:
        goodbye = write_unbind(self._requests.goodbye_id)
        self._requests.restart()
        self._server_was_bound = False
        return [DropServer(goodbye)]


def _refused(head: MessageHead, code: int, text: str) -> Action:
    """Answer a request in our own name."""
    return ToClient(write_result(head.message_id, FINAL_RESPONSE[head.operation_tag], code, text))
