"""How many Access-Requests the codec answers on one core, beside pyrad in the same run.

One round is what a login costs in octets alone: take an Access-Request of 16 attributes apart, check its
Message-Authenticator, get the password back, and write the Access-Accept, signed.

    PYTHONPATH=. python bench/codec.py [--seconds 1] [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.kit.table import median_and_range, print_table
from duoproxy.radius.attributes import Type, first
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
    encode_request,
)
from duoproxy.radius.hiding import hide_password, reveal_password
from duoproxy.radius.packet import Code, decode_packet, frame_packet
from duoproxy.secret import Secret

SECRET = b"testing123"
SHARED = Secret(SECRET)
PASSWORD = b"correct horse battery"
AUTHENTICATOR = bytes(range(16))
AIM_PER_S = 60_000
BATCH = 200

# What a VPN gateway sends, and what pyrad has to be told of it.
DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE User-Password 2 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE NAS-Port 5 integer
ATTRIBUTE Service-Type 6 integer
ATTRIBUTE Framed-Protocol 7 integer
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE Called-Station-Id 30 string
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Proxy-State 33 octets
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE NAS-Port-Type 61 integer
ATTRIBUTE Tunnel-Client-Endpoint 66 string
ATTRIBUTE Connect-Info 77 string
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE NAS-Port-Id 87 string
"""


def access_request() -> bytes:
    """Make the request: 16 attributes, Message-Authenticator among them."""
    number = (7).to_bytes(4, "big")
    attributes = [
        (Type.USER_NAME, b"alice@corp.example.test"),
        (Type.USER_PASSWORD, hide_password(PASSWORD, SECRET, AUTHENTICATOR)),
        (4, bytes((192, 0, 2, 1))),
        (5, number),
        (6, number),
        (7, number),
        (30, b"vpn.example.test"),
        (31, b"198.51.100.23"),
        (32, b"gateway-1"),
        (Type.PROXY_STATE, b"\x00\x01\x02\x03"),
        (44, b"5F3A00000017"),
        (61, number),
        (66, b"198.51.100.23"),
        (77, b"IKEv2"),
        (87, b"VPN2-17"),
    ]
    return encode_request(Code.ACCESS_REQUEST, 17, AUTHENTICATOR, attributes, SECRET)


def own_round(datagram: bytes) -> bytes:
    """Do the round with our codec."""
    framed = frame_packet(datagram)
    if check_message_authenticator(framed, SHARED) is not MessageAuthenticator.VALID:
        raise ValueError("Message-Authenticator does not fit")
    packet = decode_packet(framed)
    if reveal_password(first(packet.attributes, Type.USER_PASSWORD) or b"", SECRET, packet.authenticator) != PASSWORD:
        raise ValueError("the password came back changed")
    reply = [pair for pair in packet.attributes if pair[0] == Type.PROXY_STATE]
    reply.append((Type.REPLY_MESSAGE, b"Success. Logging you in..."))
    return encode_reply(Code.ACCESS_ACCEPT, packet.identifier, packet.authenticator, reply, SHARED)


def pyrad_round() -> Callable[[bytes], bytes]:
    """Give the round as pyrad does it."""
    from pyrad.dictionary import Dictionary
    from pyrad.packet import AccessAccept, AuthPacket

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dictionary"
        file.write_text(DICTIONARY, "ascii")
        dictionary = Dictionary(str(file))

    def run(datagram: bytes) -> bytes:
        request = AuthPacket(packet=datagram, secret=SECRET, dict=dictionary)
        if not request.verify_message_authenticator():
            raise ValueError("Message-Authenticator does not fit")
        if request.PwDecrypt(request[2][0]).encode("utf-8") != PASSWORD:
            raise ValueError("the password came back changed")
        reply = request.CreateReply(**{"Reply-Message": "Success. Logging you in..."})
        reply.code = AccessAccept
        reply[33] = request[33]
        reply.add_message_authenticator()
        return bytes(reply.ReplyPacket())

    return run


def rounds_per_s(run: Callable[[bytes], bytes], datagram: bytes, seconds: float) -> float:
    """Count rounds per second of CPU time, so that other work on the machine does not count."""
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        for _ in range(BATCH):
            run(datagram)
        done += BATCH
    return done / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time of one run (default 1)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turn (default 5)")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    datagram = access_request()
    competitors = {"duoproxy.radius": own_round, "pyrad": pyrad_round()}
    rates: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(options.runs):
        for name, run in competitors.items():
            rates[name].append(rounds_per_s(run, datagram, options.seconds))
    own, theirs = (statistics.median(rates[name]) for name in competitors)
    rows = [[name, median_and_range(found), f"{1e6 / statistics.median(found):.1f}"] for name, found in rates.items()]
    print_table(["codec", "rounds per second of CPU", "µs a round"], rows)
    print(
        f"{len(decode_packet(datagram).attributes)} attributes, {len(datagram)} octets; {own / theirs:.1f} times pyrad;"
    )
    print(f"aim {AIM_PER_S:,}/s: {'reached' if own >= AIM_PER_S else f'{own / AIM_PER_S:.0%} of it'}")


if __name__ == "__main__":
    main()
