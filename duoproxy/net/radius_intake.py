"""From a datagram to a request: whose it is, whether it is whole and authentic, and whether the rules let it in.

Integrity before interpretation: source, length and Message-Authenticator are checked before any attribute is read.
Whatever is dropped is told in the log, with its remedy. It must not know sockets, duplicates or logins.

Source: RFC 2865 §3, RFC 3579 §3.2; reference §10.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.logger import Logger

from duoproxy.errors import RemoteProtocolError
from duoproxy.net import radius_sentences as sentences
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.radius_admission import Admission, RadiusPolicy
from duoproxy.net.radius_messages import RadiusDevice, ReceivedRequest
from duoproxy.net.radius_packet_log import PacketLog
from duoproxy.net.udp import Endpoint
from duoproxy.radius.addresses import DeviceTable
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator
from duoproxy.radius.packet import Code, decode_packet, frame_packet

STRANGERS_INTERVAL_S: Final = 1.0


class Intake:
    """Takes the requests of the devices of one listener, and drops everything else.

    Attributes:
        limited_log: what is told about devices.
        strangers_log: what is told about everybody else.
    """

    def __init__(
        self,
        section_name: str,
        devices: Sequence[RadiusDevice],
        policy: RadiusPolicy,
        seconds: Callable[[], float],
        log: Logger,
        packets: PacketLog,
    ) -> None:
        """Prepare.

        Args:
            section_name: in whose name is logged.
            devices: who may ask; of two that overlap the narrower one counts.
            policy: what is demanded of them.
            seconds: gives the time, monotonic.
            log: the section's.
            packets: the debug log.

        Raises:
            ValueError: two devices have the same addresses.
        """
        self._section_name = section_name
        self._devices = tuple(devices)
        self._table = DeviceTable([device.addresses for device in devices])
        self._seconds = seconds
        self._packets = packets
        self.limited_log = LimitedLog(log, seconds)
        self.strangers_log = LimitedLog(log, seconds, STRANGERS_INTERVAL_S)
        self._admission = Admission(section_name, policy, log, self.limited_log)

    def receive(self, datagram: bytes, source: Endpoint, local_host: str) -> tuple[bytes, ReceivedRequest] | None:
        """Take one datagram; whatever it is, nothing is raised.

        Args:
            datagram: its octets.
            source: host and port that it came from.
            local_host: the address that was asked.

        Returns:
            the octets of the packet without padding, and an Access-Request or Status-Server whose Message-Authenticator
            is not wrong (a Status-Server may still lack it); None for what is dropped.
        """
        host = source[0]
        index = self._table.lookup(host)
        if index is None:
            # One interval for all strangers: their addresses cost nothing to make up.
            self.strangers_log.warn("stranger", "", lambda: sentences.unknown_device(host, self._section_name))
            return None
        try:
            framed = frame_packet(datagram)
        except RemoteProtocolError as error:
            what = str(error)
            self.limited_log.warn("malformed", host, lambda: sentences.malformed_request(host, what))
            return None
        request = self._verified(framed, self._devices[index], source, local_host)
        return None if request is None else (framed, request)

    def _verified(
        self, framed: bytes, device: RadiusDevice, source: Endpoint, local_host: str
    ) -> ReceivedRequest | None:
        host, code = source[0], framed[0]
        if code not in (Code.ACCESS_REQUEST, Code.STATUS_SERVER):
            self.limited_log.warn("code", host, lambda: sentences.unknown_code(host, code))
            return None
        verdict = check_message_authenticator(framed, device.secret)
        if verdict is MessageAuthenticator.INVALID:
            self.limited_log.warn(
                "secret", host, lambda: sentences.wrong_secret(host, device.secret_option, self._section_name)
            )
            return None
        packet = decode_packet(framed)
        self._packets.note("from", host, packet.code, packet.identifier, packet.attributes)
        if code == Code.ACCESS_REQUEST and not self._admission.admits(host, packet, verdict):
            return None
        return ReceivedRequest(packet, host, source[1], device.secret, verdict, self._seconds(), local_host)
