"""A RADIUS listener: from a verified request to its handler, and from a reply to the datagram that leaves.

What is a request of a device is the business of `duoproxy.net.radius_intake`. The machines of `duoproxy.radius` decide
what is a duplicate and what joins; this file feeds them. What a login is, it does not know: a handler answers each
request once.

Source: RFC 5080 §2.2.2, RFC 5997; reference §10.3.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.net import radius_sentences as sentences
from duoproxy.net.at_once import at_once
from duoproxy.net.radius_admission import RadiusPolicy
from duoproxy.net.radius_intake import Intake
from duoproxy.net.radius_messages import RadiusDevice, ReceivedRequest, Reply
from duoproxy.net.radius_packet_log import PacketLog
from duoproxy.net.radius_replies import encode_or_reject, refusal
from duoproxy.net.radius_watch import EarlyDevices, dropped
from duoproxy.net.udp import RECEIVE_BUFFER_BYTES, DatagramTransport, Endpoint, bind_udp
from duoproxy.radius.attributes import Type, first
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.duplicates import (
    MAX_IN_FLIGHT,
    MIN_RETRY_INTERVAL_S,
    Arrival,
    DuplicateTable,
    Exchange,
    gave_up,
)
from duoproxy.radius.packet import Code, decode_packet
from duoproxy.radius.retries import PendingLogin, RetryTable, fingerprint
from duoproxy.secret import Secret

if TYPE_CHECKING:
    from duoproxy.radius.dictionary import Dictionary

__all__ = ["RadiusDevice", "RadiusPolicy", "RadiusServer", "ReceivedRequest", "Reply"]

Handler = Callable[[ReceivedRequest], Coroutine[Any, Any, Reply | None]]

_CODE_NAMES: dict[int, str] = {
    Code.ACCESS_ACCEPT: "Access-Accept",
    Code.ACCESS_REJECT: "Access-Reject",
    Code.ACCESS_CHALLENGE: "Access-Challenge",
}
FINGERPRINT_KEY_BYTES: Final = 32


@frozen(eq=False)
class _InFlight:
    """A request that will be answered, and the machine's view of it.

    Attributes:
        retry_interval_s: when it joined a login: the time since the request that it took over from; else 0.
    """

    request: ReceivedRequest
    exchange: Exchange
    retry_interval_s: float = 0.0


_Login = PendingLogin[_InFlight]


class RadiusServer:
    """One listener of one section."""

    def __init__(
        self,
        *,
        section_name: str,
        reactor: Any,
        devices: Sequence[RadiusDevice],
        policy: RadiusPolicy,
        handler: Handler,
        random_bytes: Callable[[int], bytes],
        dictionary: Dictionary,
        max_in_flight: int = MAX_IN_FLIGHT,
        state_is_ours: bool = False,
        debug: bool = False,
        open_socket: Callable[[str, int], DatagramTransport] = bind_udp,
        login_step: Callable[[str, str], None] = lambda login_id, step: None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            section_name: in whose name is logged.
            reactor: `IReactorTime` and `IReactorFDSet`.
            devices: who may ask; of two that overlap the narrower one counts.
            policy: what is demanded of them.
            handler: answers a request; None is silence; an exception is a Reject and one line in the log.
            random_bytes: as `os.urandom`.
            dictionary: for the debug log.
            max_in_flight: the bound on requests without an answer.
            state_is_ours: whether the handler rejects every State that it did not give, so that retries of the answer
                to a challenge can be told by it.
            debug: whether packets are logged, with secrets masked.
            open_socket: makes the socket; tests have their own.
            login_step: takes a login id and a sentence about what became of its reply.

        Raises:
            ValueError: two devices have the same addresses.
        """
        self._reactor = reactor
        self._join_retries = policy.join_retries
        self._state_is_ours = state_is_ours
        self._handler = handler
        self._open_socket = open_socket
        self._transport: DatagramTransport | None = None
        self._login_step = login_step
        self._early = EarlyDevices()
        self._address = ""
        self._port = 0
        self._log = Logger(namespace=section_name)
        self._packets = PacketLog(self._log, dictionary if debug else None)
        self._intake = Intake(section_name, devices, policy, reactor.seconds, self._log, self._packets)
        self._limited = self._intake.limited_log
        self._duplicates = DuplicateTable(max_in_flight=max_in_flight)
        self._retries: RetryTable[_InFlight] = RetryTable()
        self._random_bytes = random_bytes
        self._fingerprint_key = random_bytes(FINGERPRINT_KEY_BYTES)
        self._running: set[Deferred[None]] = set()
        self._continues: Callable[[ReceivedRequest], bool] | None = None
        self._stopped = False

    @property
    def pending(self) -> int:
        """How many requests have no answer yet."""
        return self._duplicates.in_flight

    @property
    def port(self) -> int:
        """The port that `bind` took; 0 before."""
        return self._port

    @property
    def early_devices(self) -> list[dict[str, object]]:
        """Devices that repeat their requests, and give up before the answer comes."""
        return self._early.told(self._reactor.seconds())

    def status(self) -> dict[str, object]:
        """Say how the listener is doing, in the words of `Section.status`."""
        return {
            "listeners": [{"protocol": "udp", "address": self._address, "port": self._port}],
            "pending": self.pending,
            "dropped": dropped(self._limited.counts + self._intake.strangers_log.counts),
            "early_devices": self.early_devices,
        }

    def bind(self, interface: str, port: int) -> None:
        """Take the port, before privileges are dropped.

        Raises:
            ListenError: it cannot be had.
        """
        self._transport = self._open_socket(interface, port)
        self._address, self._port = interface, self._transport.port

    def start(self) -> None:
        """Begin to read."""
        if self._transport is None:
            raise RuntimeError("bind comes before start")
        granted = self._transport.receive_buffer_bytes // 2  # the kernel doubles it for its own overhead
        if granted < RECEIVE_BUFFER_BYTES:
            sentence = sentences.small_receive_buffer(granted, RECEIVE_BUFFER_BYTES)
            self._log.info("{sentence}", sentence=sentence)
        self._transport.start_reading(self._reactor, self.datagram_received)

    def drain(self, continues: Callable[[ReceivedRequest], bool] = lambda _: False) -> None:
        """Be silent from now on to whatever begins something, so that devices go to another proxy.

        Retries of what is in progress join it as before. Status-Server gets no answer either: whoever asks it wants to
        know where to send logins.

        Args:
            continues: whether a request goes on with what an earlier one began; such are answered.
        """
        self._continues = continues

    async def stop(self) -> None:
        """Take no more requests, and cancel those that are in progress: their devices get an Access-Reject."""
        self._stopped = True
        for running in list(self._running):
            running.cancel()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    # ── from a datagram to an exchange ───────────────────────────────────────────────────────────────────────────

    def datagram_received(self, datagram: bytes, source: Endpoint, local_host: str) -> None:
        """Take one datagram; whatever it is, nothing is raised.

        Args:
            datagram: its octets.
            source: host and port that it came from.
            local_host: the address that was asked.
        """
        received = self._intake.receive(datagram, source, local_host)
        if received is None:
            return
        framed, request = received
        if request.packet.code == Code.STATUS_SERVER:
            self._answer_status(request)
        else:
            self._admitted(framed, request)

    def _answer_status(self, request: ReceivedRequest) -> None:
        """Say that we live, and touch nothing else. Source: RFC 5997 §3, §4.2."""
        host = request.device_address
        if self._continues is not None:
            return
        if request.message_authenticator is not MessageAuthenticator.VALID:
            self._limited.warn(
                "status", host, lambda: sentences.message_authenticator_always_needed(host, "Status-Server")
            )
            return
        octets = self._encode(request, Reply(Code.ACCESS_ACCEPT))
        if octets is not None:
            self._send(octets, request)

    def _admitted(self, framed: bytes, request: ReceivedRequest) -> None:
        source = (request.device_address, request.device_port)
        received = self._duplicates.receive(
            source,
            (request.local_address, self._port),
            framed,
            request.received_at,
            authentic=request.message_authenticator is MessageAuthenticator.VALID,
        )
        if received.arrival is Arrival.NEW and received.exchange is not None:
            self._begin_or_join(request, received.exchange)
        elif received.arrival is Arrival.REPEAT and received.reply is not None:
            self._send(received.reply, request)
        elif received.arrival is Arrival.OVERLOAD:
            in_flight = self.pending
            self._limited.warn("busy", source[0], lambda: sentences.too_busy(source[0], in_flight))

    # ── from a request to its handler ──────────────────────────────────────────────────────────────────────────

    def _begin_or_join(self, request: ReceivedRequest, exchange: Exchange) -> None:
        credential, attributes = self._credential(request), request.packet.attributes
        its_fingerprint = fingerprint(
            self._fingerprint_key, request.device_address, attributes, credential, state_is_ours=self._state_is_ours
        )
        if its_fingerprint is not None:
            request = request.with_fingerprint(its_fingerprint)
        in_flight = _InFlight(request, exchange)
        to_join = its_fingerprint if self._join_retries else None
        joining = self._retries.receive(to_join, Secret(credential or b""), in_flight)
        if joining.superseded is not None:
            self._joined(joining.login, in_flight, joining.superseded)
        elif self._continues is not None and not self._continues(request):
            self._retries.finish(joining.login)
            self._duplicates.finish(in_flight.exchange, None, request.received_at)
        else:
            self._begin(joining.login, request)

    @staticmethod
    def _credential(request: ReceivedRequest) -> bytes | None:
        try:
            return request.reveal_credential()
        except RemoteProtocolError:
            return None  # nothing joins it; the handler meets the same fault and rejects

    def _joined(self, login: _Login, newer: _InFlight, older: _InFlight) -> None:
        now = newer.request.received_at
        interval_s = max(older.retry_interval_s, now - older.request.received_at)
        login.newest = _InFlight(newer.request, newer.exchange, interval_s)
        self._duplicates.finish(older.exchange, None, now)
        host, user = newer.request.device_address, _shown_user(newer.request)
        self._limited.warn(("joined", user), host, lambda: sentences.duplicate_joined(host, user))

    def _begin(self, login: _Login, request: ReceivedRequest) -> None:
        """The one bridge from a datagram to `async def`."""
        running = at_once(self._work(login, request))
        if running is not None:  # a step of EAP is mostly over by now
            self._running.add(running)
            running.addErrback(self._log_fault)
            running.addBoth(lambda _: self._running.discard(running))

    async def _work(self, login: _Login, request: ReceivedRequest) -> None:
        reply: Reply | None = None
        try:
            reply = await self._reply_of_handler(request)
        finally:
            self._finish(login, reply)  # whatever happened, with silence: nothing may stay in flight for ever

    async def _reply_of_handler(self, request: ReceivedRequest) -> Reply | None:
        try:
            reply = await self._handler(request)
        except RemoteProtocolError as error:
            host, what = request.device_address, str(error)
            self._limited.warn("invalid", host, lambda: sentences.invalid_request(host, what))
            return refusal(request) if error.disposition is Disposition.REJECT else None
        except CancelledError:
            return refusal(request) if self._stopped else self._fault(request)
        except Exception:  # noqa: BLE001 - whatever it is, the device gets an answer that lets nobody in
            return self._fault(request)
        if self._stopped and reply is not None and reply.code != Code.ACCESS_REJECT:
            return refusal(request)  # it was cancelled: no question that nobody would hear the answer of, and no accept
        return reply

    def _fault(self, request: ReceivedRequest) -> Reply:
        self._log.failure("{sentence}", sentence=sentences.handler_fault(request.device_address))
        return refusal(request)

    def _log_fault(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._log.failure("{sentence}", failure, sentence=sentences.handler_fault("a device"))

    # ── from a reply to a datagram ─────────────────────────────────────────────────────────────────────────────

    def _finish(self, login: _Login, reply: Reply | None) -> None:
        newest = self._retries.finish(login)
        request, now = newest.request, self._reactor.seconds()
        octets = self._encode(request, reply) if reply is not None else None
        if self._duplicates.finish(newest.exchange, octets, now) and octets is not None:
            self._send(octets, request)
            self._note_sent(newest, octets[0], reply.login_id if reply is not None else "", now)

    def _encode(self, request: ReceivedRequest, reply: Reply) -> bytes | None:
        host = request.device_address
        try:
            octets, why_not = encode_or_reject(request, reply, self._random_bytes)
        except Exception:  # noqa: BLE001 - the attributes are made by a section; see `_reply_of_handler`
            octets, why_not = encode_or_reject(request, self._fault(request), self._random_bytes)
        if why_not:
            self._limited.warn("long", host, lambda: sentences.reply_does_not_fit(host, why_not))
        return octets

    def _send(self, octets: bytes, request: ReceivedRequest) -> None:
        if self._transport is None:
            return
        host = request.device_address
        if not self._transport.send(octets, (host, request.device_port), request.local_address):
            self._limited.warn("unsent", host, lambda: sentences.reply_not_sent(host))
        if self._packets.is_on:
            sent = decode_packet(octets)
            self._packets.note("to", host, sent.code, sent.identifier, sent.attributes)

    def _note_sent(self, newest: _InFlight, code: int, login_id: str, now: float) -> None:
        """Tell the login what was sent, and everybody when it came too late for the device."""
        exchange, host = newest.exchange, newest.request.device_address
        interval_s = max(exchange.retry_interval_s, newest.retry_interval_s)
        if login_id:
            retried = f"; it had asked again, {interval_s:.1f} s apart" if interval_s >= MIN_RETRY_INTERVAL_S else ""
            self._login_step(login_id, f"{_CODE_NAMES.get(code, code)} is sent to {host}{retried}.")
        silent_s = now - exchange.last_arrival
        if gave_up(silent_s, interval_s):
            self._early.note(host, silent_s, interval_s, now)
            self._limited.warn("late", host, lambda: sentences.device_stopped_waiting(host, silent_s, interval_s))
            if login_id:
                self._login_step(login_id, sentences.device_stopped_waiting(host, silent_s, interval_s))


def _shown_user(request: ReceivedRequest) -> str:
    """The user's name for a log line, which it cannot break: what is not printable is shown as `?`."""
    name = (first(request.packet.attributes, Type.USER_NAME) or b"").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in name) or "a user without a name"
