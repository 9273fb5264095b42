"""A bind that is under way: what the directory was asked for it, what it said, and how often a client may bind.

Part of the machine in `duoproxy.ldap.relay`. It must not know who may log in, nor the client's other requests.

Source: RFC 4511 §4.2; RFC 4532.
"""

from __future__ import annotations

from attrs import define

from duoproxy.ldap.ber import fault
from duoproxy.ldap.framing import MessageHead, peek_message
from duoproxy.ldap.messages import (
    BindRequest,
    Response,
    ResultCode,
    read_response_value,
    read_result,
    with_message_id,
    write_simple_bind,
    write_who_am_i,
)
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.secret import Secret

_NO_CODE = -1


class PendingBind:
    """One bind, from the client's request to the answer to it.

    Attributes:
        message_id: the client's.
        request: what the client sent.
    """

    def __init__(self, message_id: int, request: BindRequest) -> None:
        self.message_id = message_id
        self.request = request
        self._upstream_id = 0
        self._answer = b""
        self._code = _NO_CODE
        self._who_id = 0

    @property
    def was_sent(self) -> bool:
        """Whether the directory was asked at all."""
        return self._upstream_id != 0

    @property
    def waits_for_server(self) -> bool:
        """Whether the directory owes an answer."""
        return (self._upstream_id != 0 and not self._answer) or self._who_id != 0

    @property
    def succeeded(self) -> bool:
        """Whether the directory said yes."""
        return self._code == ResultCode.SUCCESS

    @property
    def failed(self) -> bool:
        """Whether the directory said no."""
        return bool(self._answer) and not self.succeeded

    def send(self, upstream_id: int, name: bytes, password: Secret) -> bytes:
        """Give the octets of a bind for the directory.

        Args:
            upstream_id: its message id there.
            name: whom the directory is told, the client's own or the DN that was found for it.
            password: not empty, unless name and password of the client are.
        """
        self._upstream_id = upstream_id
        self._answer, self._code = b"", _NO_CODE
        return write_simple_bind(upstream_id, name, password, self.request.controls)

    def ask_who(self, upstream_id: int) -> bytes:
        """Give the octets of a WhoAmI, with this message id. Source: RFC 4532 §2.1."""
        self._who_id = upstream_id
        return write_who_am_i(upstream_id)

    def expects(self, upstream_id: int) -> bool:
        """Whether what has this message id answers the bind."""
        return self.waits_for_server and upstream_id == self._upstream_id and not self._answer

    def expects_who(self, upstream_id: int) -> bool:
        """Whether what has this message id answers the WhoAmI."""
        return self._who_id != 0 and upstream_id == self._who_id

    def take_answer(self, head: MessageHead, octets: bytes) -> tuple[int, str] | None:
        """Keep what the directory said, and give its resultCode and diagnosticMessage; None: there is more to come.

        Raises:
            RemoteProtocolError: CLOSE: it answers no bind.
        """
        if head.operation_tag == Response.INTERMEDIATE:
            return None
        if head.operation_tag != Response.BIND:
            raise fault(f"0x{head.operation_tag:02x} answers no bind")
        code, text = read_result(octets, head)
        self._answer, self._code = octets, code
        return code, text

    def take_who(self, head: MessageHead, octets: bytes) -> bytes:
        """Give whom the directory takes the connection for; empty where it does not say. Source: RFC 4532 §2.2.

        Raises:
            RemoteProtocolError: CLOSE: it answers no WhoAmI.
        """
        if head.operation_tag != Response.EXTENDED:
            raise fault(f"0x{head.operation_tag:02x} answers no extended request")
        self._who_id = 0
        succeeded = read_result(octets, head)[0] == ResultCode.SUCCESS
        return read_response_value(octets, head) if succeeded else b""

    def server_lost(self) -> None:
        """Take back what it has reached: the directory's yes was worth its connection."""
        self._upstream_id, self._answer, self._code, self._who_id = 0, b"", _NO_CODE, 0

    def answer_for_client(self) -> bytes:
        """Give what the directory said, as the answer to the client."""
        return with_message_id(self._answer, peek_message(self._answer), self.message_id)


@define
class BindCount:
    """How often a client has bound on its connection.

    Attributes:
        count: the binds that were judged.
        first_was_exempt: the first of them needed no second factor.
    """

    count: int = 0
    first_was_exempt: bool = False

    def has_room(self, policy: RelayPolicy) -> bool:
        """Whether it may bind once more."""
        return policy.allow_unlimited_binds or self.count < (2 if self.first_was_exempt else 1)

    def note_exemption(self, exempt: bool) -> None:
        """Note whether the newest bind needed no second factor."""
        self.first_was_exempt = self.first_was_exempt or (exempt and self.count == 1)
