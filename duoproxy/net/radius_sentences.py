"""What the RADIUS sockets say to an administrator: one function for each fact, cause first, then the remedy.

Pure. Each sentence is tested literally.
"""

from __future__ import annotations

import errno


def listen_refused(interface: str, port: int, error_number: int, error_text: str) -> str:
    """An address and port that cannot be listened on."""
    where = f"UDP port {port} on {interface or 'all addresses'}"
    if error_number == errno.EADDRINUSE:
        return (
            f"{where} is in use by another program. Stop that program (`ss -lunp 'sport = :{port}'` names it), or "
            "write another number in the option port of this section and on the devices."
        )
    if error_number == errno.EADDRNOTAVAIL:
        return (
            f"{where} cannot be listened on: this machine does not have that address. Write one of its own addresses "
            "(`ip address` lists them) in the option interface, or leave interface out."
        )
    if error_number in (errno.EACCES, errno.EPERM):
        return (
            f"{where} cannot be listened on: ports below 1024 need a privilege. Start the service as root (it gives "
            "its rights up afterwards), or use a port above 1023, such as 1812."
        )
    return f"{where} cannot be listened on: {error_text}. Check the options interface and port of this section."


def small_receive_buffer(granted_bytes: int, wanted_bytes: int) -> str:
    """The kernel granted less receive buffer than bursts need."""
    return (
        f"The receive buffer has {granted_bytes // 1024} KiB instead of {wanted_bytes // 1024} KiB, so that bursts "
        f"of requests can be lost. Set net.core.rmem_max to {wanted_bytes} with sysctl and start again."
    )


def unknown_device(address: str, section: str) -> str:
    """A datagram from an address that no radius_ip_n names."""
    return (
        f"Dropped a request from {address}: no radius_ip_n of [{section}] names this address. If it is one of your "
        f"devices, add its address as a radius_ip_n with its radius_secret_n to [{section}]."
    )


def wrong_secret(device: str, secret_option: str, section: str) -> str:
    """A request whose Message-Authenticator does not fit the shared secret."""
    return (
        f"Dropped a request from {device}: its Message-Authenticator does not fit. The shared secret differs: make "
        f"{secret_option} of [{section}] equal to the secret on the device."
    )


def malformed_request(device: str, what: str) -> str:
    """A datagram of a known device that is not a RADIUS packet."""
    return (
        f"Dropped a datagram from {device} that is not a well-formed RADIUS packet: {what}. Check that the device "
        "speaks RADIUS to this port, and its software version."
    )


def unknown_code(device: str, code: int) -> str:
    """A packet of a kind that is not served here."""
    return (
        f"Dropped a packet from {device} with code {code}: only Access-Request (1) and Status-Server (12) are "
        "answered on this port. If it is accounting, switch RADIUS accounting to this proxy off on the device."
    )


def message_authenticator_required(device: str, section: str, armed: bool) -> str:
    """A request without Message-Authenticator from a device that has to send it."""
    why = "it has sent one before, and require_message_authenticator is auto" if armed else ""
    why = why or "require_message_authenticator is yes"
    return (
        f"Dropped a request from {device}: it carries no Message-Authenticator, but {why}. Make the device send "
        f"Message-Authenticator in every request, or set require_message_authenticator=no in [{section}], which "
        "leaves its logins open to forged answers (BlastRADIUS)."
    )


def message_authenticator_always_needed(device: str, what: str) -> str:
    """EAP or Status-Server without Message-Authenticator."""
    return (
        f"Dropped a request from {device}: it carries no Message-Authenticator, which {what} must have. Make the "
        "device send Message-Authenticator, or update its software."
    )


def proxy_state_refused(device: str, section: str, setting: str) -> str:
    """A request with Proxy-State and without Message-Authenticator."""
    return (
        f"Dropped a request from {device}: it carries Proxy-State but no Message-Authenticator, as a forged one "
        f"would, and limit_proxy_state is {setting}. Make the device (a RADIUS proxy) send Message-Authenticator; if "
        f"it cannot, set limit_proxy_state=no in [{section}], which leaves its logins open to forged answers "
        "(BlastRADIUS)."
    )


def proxy_state_tolerated(device: str, section: str) -> str:
    """The first request of a device had Proxy-State without Message-Authenticator; `auto` lets such pass from now."""
    return (
        f"The first request from {device} carries Proxy-State but no Message-Authenticator; limit_proxy_state is "
        "auto, so its requests are taken, and its logins are open to forged answers (BlastRADIUS). Make the device "
        f"send Message-Authenticator, then set require_message_authenticator=yes in [{section}]."
    )


def duplicate_joined(device: str, user: str) -> str:
    """A device repeated its request with a new identifier while the login was going on."""
    return (
        f"{device} asked again for {user} while that login was going on; the new request joined it, and gets its "
        "answer. Give the RADIUS server on the device a time-out of 60 seconds or more and one try, so that it need "
        "not ask again."
    )


def device_stopped_waiting(device: str, silent_s: float, interval_s: float) -> str:
    """A device stopped to repeat its request before the answer was there."""
    return (
        f"The answer to {device} came {silent_s:.0f} s after its last try, when the device had probably given up: it "
        f"had repeated its request about every {interval_s:.0f} s. Raise the RADIUS time-out on the device to 60 "
        "seconds or more."
    )


def too_busy(device: str, in_flight: int) -> str:
    """A request that was dropped because the bound on requests in flight is reached."""
    return (
        f"Dropped a request from {device}: {in_flight} requests are in progress, and this device has its share of "
        "the places that are left. If this is not an attack, look for a slow directory or Duo service in this log."
    )


def invalid_request(device: str, what: str) -> str:
    """A well-formed packet with something in it that no device may send."""
    return (
        f"A request from {device} was refused: {what}. If this is one of your devices, look for an update of its "
        "software, and check its shared secret."
    )


def handler_fault(device: str) -> str:
    """Our own code failed on a request."""
    return (
        f"A request from {device} was rejected because of a fault in duoproxy itself. Please report it with the "
        "lines that follow."
    )


def unknown_challenge_state(device: str) -> str:
    """A State that no question has, or that belongs to another user or another answer."""
    return (
        f"A request from {device} was rejected: its State belongs to no open question of its user. The user waited too "
        "long, the proxy was restarted, or the device sent one login to two proxies or sections: let it keep to one."
    )


def challenge_given_up(device: str, max_open: int) -> str:
    """A login that was waiting for its user and made room for another one."""
    return (
        f"A login from {device} was given up: {max_open} users are being waited for, and it was the oldest. Check "
        "whether somebody begins logins and leaves them."
    )


def reply_not_sent(device: str) -> str:
    """The kernel did not take a reply."""
    return (
        f"An answer to {device} could not be sent: no route to it, or the network buffers are full. Check the routes "
        "of this machine; the device gets its answer when it repeats the request."
    )


def reply_does_not_fit(device: str, what: str) -> str:
    """The answer cannot be written as a packet."""
    return (
        f"The answer to {device} does not fit into a RADIUS packet, so the login was rejected: {what}. Pass fewer "
        "attributes through: name them in pass_through_attr_names instead of pass_through_all."
    )


def upstream_reply_forged(server: str, section: str, secret_option: str) -> str:
    """A reply from the right address whose authenticators do not fit."""
    return (
        f"Ignored an answer from RADIUS server {server}: its authenticator does not fit. The shared secret probably "
        f"differs: make {secret_option} of [{section}] equal to the secret on that server; otherwise somebody forges "
        "answers."
    )


def upstream_reply_unsigned(server: str, section: str, armed: bool) -> str:
    """A reply without Message-Authenticator where it is required."""
    why = "it has sent one before, and require_message_authenticator is auto" if armed else ""
    why = why or "require_message_authenticator is yes"
    return (
        f"Ignored an answer from RADIUS server {server}: it carries no Message-Authenticator, but {why}. Bring that "
        f"server up to date, or set require_message_authenticator=no in [{section}], which leaves logins open to "
        "forged answers (BlastRADIUS)."
    )


def upstream_strange_reply(server: str, what: str) -> str:
    """A datagram at our source port that answers nothing that was asked."""
    return f"Ignored a datagram from {server} at a port that asks RADIUS servers: {what}."


def upstream_refused(server: str) -> str:
    """ICMP port unreachable."""
    return (
        f"RADIUS server {server} refuses: nothing listens on that port. Start the RADIUS service there, or correct "
        "host and port."
    )


def upstream_silent(server: str, rests_s: float) -> str:
    """A server gave no valid answer to any try."""
    return (
        f"RADIUS server {server} did not answer and is left out for {rests_s:.0f} seconds. Check that it runs, that "
        "it knows this proxy as a client with the same secret, and that no firewall is between."
    )


def upstream_back(server: str) -> str:
    """A resting server answered again."""
    return f"RADIUS server {server} answers again."


def upstream_name_unknown(name: str) -> str:
    """A host name that has no address."""
    return (
        f"The name {name} cannot be resolved, so this RADIUS server is left out. Check the name in the option host "
        "and the DNS servers of this machine (/etc/resolv.conf), or write the address instead."
    )


def upstream_socket_refused(error_text: str) -> str:
    """No further socket for asking servers."""
    return (
        f"A socket for asking RADIUS servers cannot be opened: {error_text}. Raise the limit of open files "
        "(LimitNOFILE= in the systemd unit)."
    )


def name_lookup_failed(name: str, error_text: str, kept_address: str) -> str:
    """A refresh of a name failed."""
    kept = f" Its last address {kept_address} is kept in use." if kept_address else ""
    return f"The name {name} could not be looked up: {error_text}.{kept} Check the DNS servers of this machine."


def name_moved(name: str, old_address: str, new_address: str) -> str:
    """A name has a new address."""
    return f"The name {name} now has the address {new_address} (before: {old_address})."
