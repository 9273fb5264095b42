"""Datagrams as a capture file, so that tshark judges them: written here, because capturing needs rights.

Source: the pcap file format (draft-ietf-opsawg-pcap), link type 101: IP without a link layer.
"""

from __future__ import annotations

import ipaddress
import json
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RAW_IP = 101
UDP = 17
DEADLINE_S = 60.0

Endpoint = tuple[str, int]


@dataclass(frozen=True)
class Datagram:
    """One datagram over IPv4."""

    source: Endpoint
    destination: Endpoint
    octets: bytes


def write_capture(path: Path, datagrams: Sequence[Datagram]) -> None:
    """Write a capture file, a millisecond between two datagrams."""
    records = []
    for number, datagram in enumerate(datagrams):
        packet = _ip_packet(datagram)
        records.append(struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(packet), len(packet)) + packet)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP) + b"".join(records))


def _ip_packet(datagram: Datagram) -> bytes:
    """IPv4 and UDP headers, without UDP checksum."""
    ports = struct.pack(">HHHH", datagram.source[1], datagram.destination[1], 8 + len(datagram.octets), 0)
    hosts = ipaddress.ip_address(datagram.source[0]).packed + ipaddress.ip_address(datagram.destination[0]).packed
    length = 20 + len(ports) + len(datagram.octets)
    header = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, UDP, 0) + hosts
    words = sum(struct.unpack(">10H", header))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return header[:10] + struct.pack(">H", words ^ 0xFFFF) + header[12:] + ports + datagram.octets


def judge(tshark: str, path: Path, secret: str, ports: Sequence[int]) -> list[dict[str, Any]]:
    """Let tshark read a capture file as RADIUS.

    Returns:
        for each datagram what tshark found in it: field name to the list of its values. `_ws.expert.message` is there
        when it complains, `_ws.malformed` when it cannot read it.
    """
    options = ["-o", f"radius.shared_secret:{secret}", "-o", "radius.validate_authenticator:TRUE"]
    decode = [word for port in ports for word in ("-d", f"udp.port=={port},radius")]
    command = [tshark, "-n", "-r", str(path), *options, *decode, "-T", "json", "--no-duplicate-keys"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    judged = []
    for frame in json.loads(done.stdout):
        found: dict[str, list[Any]] = {}
        _collect(frame["_source"]["layers"], found)
        judged.append(found)
    return judged


def _collect(node: object, found: dict[str, list[Any]]) -> None:
    for name, value in node.items() if isinstance(node, dict) else ():
        for one in value if isinstance(value, list) else [value]:
            found.setdefault(name, []).append(one)
            _collect(one, found)
