"""Each sentence for the administrator, literally: cause first, then the remedy."""

from __future__ import annotations

import errno

import pytest

from duoproxy.net import radius_sentences as sentences

DEVICE = "10.0.0.5"
SECTION = "radius_server_auto"
SERVER = "10.1.0.1:1812"

CASES = {
    "address of another machine": (
        sentences.listen_refused("192.0.2.1", 1812, errno.EADDRNOTAVAIL, "Cannot assign requested address"),
        "UDP port 1812 on 192.0.2.1 cannot be listened on: this machine does not have that address. Write one of "
        "its own addresses (`ip address` lists them) in the option interface, or leave interface out.",
    ),
    "port that needs a privilege": (
        sentences.listen_refused("", 812, errno.EACCES, "Permission denied"),
        "UDP port 812 on all addresses cannot be listened on: ports below 1024 need a privilege. Start the service "
        "as root (it gives its rights up afterwards), or use a port above 1023, such as 1812.",
    ),
    "port that cannot be had for another reason": (
        sentences.listen_refused("", 1812, errno.EMFILE, "Too many open files"),
        "UDP port 1812 on all addresses cannot be listened on: Too many open files. Check the options interface "
        "and port of this section.",
    ),
    "malformed request": (
        sentences.malformed_request(DEVICE, "Length is 7, outside 20 to 4096"),
        "Dropped a datagram from 10.0.0.5 that is not a well-formed RADIUS packet: Length is 7, outside 20 to "
        "4096. Check that the device speaks RADIUS to this port, and its software version.",
    ),
    "accounting on this port": (
        sentences.unknown_code(DEVICE, 4),
        "Dropped a packet from 10.0.0.5 with code 4: only Access-Request (1) and Status-Server (12) are answered "
        "on this port. If it is accounting, switch RADIUS accounting to this proxy off on the device.",
    ),
    "Message-Authenticator required by the section": (
        sentences.message_authenticator_required(DEVICE, SECTION, armed=False),
        "Dropped a request from 10.0.0.5: it carries no Message-Authenticator, but require_message_authenticator "
        "is yes. Make the device send Message-Authenticator in every request, or set "
        "require_message_authenticator=no in [radius_server_auto], which leaves its logins open to forged answers "
        "(BlastRADIUS).",
    ),
    "EAP without Message-Authenticator": (
        sentences.message_authenticator_always_needed(DEVICE, "EAP"),
        "Dropped a request from 10.0.0.5: it carries no Message-Authenticator, which EAP must have. Make the "
        "device send Message-Authenticator, or update its software.",
    ),
    "Proxy-State refused": (
        sentences.proxy_state_refused(DEVICE, SECTION, "yes"),
        "Dropped a request from 10.0.0.5: it carries Proxy-State but no Message-Authenticator, as a forged one "
        "would, and limit_proxy_state is yes. Make the device (a RADIUS proxy) send Message-Authenticator; if it "
        "cannot, set limit_proxy_state=no in [radius_server_auto], which leaves its logins open to forged answers "
        "(BlastRADIUS).",
    ),
    "Proxy-State tolerated": (
        sentences.proxy_state_tolerated(DEVICE, SECTION),
        "The first request from 10.0.0.5 carries Proxy-State but no Message-Authenticator; limit_proxy_state is "
        "auto, so its requests are taken, and its logins are open to forged answers (BlastRADIUS). Make the device "
        "send Message-Authenticator, then set require_message_authenticator=yes in [radius_server_auto].",
    ),
    "device that stopped retrying before the answer": (
        sentences.device_stopped_waiting(DEVICE, 40, 5),
        "The answer to 10.0.0.5 came 40 s after its last try, when the device had probably given up: it had "
        "repeated its request about every 5 s. Raise the RADIUS time-out on the device to 60 seconds or more.",
    ),
    "too much in flight": (
        sentences.too_busy(DEVICE, 16384),
        "Dropped a request from 10.0.0.5: 16384 requests are in progress, and this device has its share of the "
        "places that are left. If this is not an attack, look for a slow directory or Duo service in this log.",
    ),
    "request that is refused": (
        sentences.invalid_request(DEVICE, "User-Password has 17 octets"),
        "A request from 10.0.0.5 was refused: User-Password has 17 octets. If this is one of your devices, look for an "
        "update of its software, and check its shared secret.",
    ),
    "answer that is not sent": (
        sentences.reply_not_sent(DEVICE),
        "An answer to 10.0.0.5 could not be sent: no route to it, or the network buffers are full. Check the "
        "routes of this machine; the device gets its answer when it repeats the request.",
    ),
    "answer that does not fit": (
        sentences.reply_does_not_fit(DEVICE, "the packet would have 4373 octets; the limit is 4096"),
        "The answer to 10.0.0.5 does not fit into a RADIUS packet, so the login was rejected: the packet would "
        "have 4373 octets; the limit is 4096. Pass fewer attributes through: name them in pass_through_attr_names "
        "instead of pass_through_all.",
    ),
    "upstream away": (
        sentences.upstream_silent(SERVER, 10.4),
        "RADIUS server 10.1.0.1:1812 did not answer and is left out for 10 seconds. Check that it runs, that it "
        "knows this proxy as a client with the same secret, and that no firewall is between.",
    ),
    "no more sockets": (
        sentences.upstream_socket_refused("Too many open files"),
        "A socket for asking RADIUS servers cannot be opened: Too many open files. Raise the limit of open files "
        "(LimitNOFILE= in the systemd unit).",
    ),
    "look-up that fails without an earlier answer": (
        sentences.name_lookup_failed("radius.example", "Name or service not known", ""),
        "The name radius.example could not be looked up: Name or service not known. Check the DNS servers of this "
        "machine.",
    ),
}


@pytest.mark.parametrize("situation", CASES)
def test_sentence(situation: str):
    """Cause and remedy, as the administrator reads them; the others are tested where they are written."""
    written, expected = CASES[situation]
    assert written == expected
