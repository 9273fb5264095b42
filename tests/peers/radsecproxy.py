"""Two real radsecproxies in a row: a device speaks UDP to the first, TLS is between them, the second speaks UDP to us.

The second repeats a request that is not answered; the first drops one after some 15 s, and begins anew when the device
repeats it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.peers.authority import Authority, KeyPair
from tests.peers.ports import LOOPBACK, free_ports
from tests.peers.server import output_matches, start_server, tcp_answers

READY = r"listening for udp on"
TLS_SECRET = "radsec"
"""RFC 6614 §2.3: every hop over TLS has this one."""
RETRY_INTERVAL_S = 2
RETRIES = 10
"""The second radsecproxy repeats a request so often, every `RETRY_INTERVAL_S` seconds, then drops it."""


@contextlib.contextmanager
def running_chain(program: str, folder: Path, there: str, secret: str) -> Iterator[str]:
    """Run both, and give the address at which a device finds the first.

    Args:
        program: the executable.
        folder: where they work.
        there: `host:port` of the RADIUS server behind them.
        secret: of the hops over UDP.
    """
    authority = Authority(folder / "tls", "radsecproxy test authority")
    udp_port, tls_port = free_ports(2)
    near = _near(udp_port, tls_port, secret, _tls(authority, "near"))
    far = _far(tls_port, there, secret, _tls(authority, "far"))
    with contextlib.ExitStack() as running:
        for name, text, ready in (("far", far, tcp_answers(tls_port)), ("near", near, output_matches(READY))):
            configuration = folder / f"{name}.conf"
            configuration.write_text(text, "ascii")
            command = [program, "-f", "-d", "4", "-c", str(configuration), "-i", str(folder / f"{name}.pid")]
            server = start_server(name, command, folder=folder / name, ready=ready)
            running.callback(server.stop)
        yield f"{LOOPBACK}:{udp_port}"


def _tls(authority: Authority, label: str) -> str:
    pair: KeyPair = authority.issue(label, ["localhost"], [LOOPBACK])
    return f"""tls default {{
	CACertificateFile {authority.ca_file}
	CertificateFile {pair.certificate}
	CertificateKeyFile {pair.key}
}}
"""


def _near(udp_port: int, tls_port: int, secret: str, tls: str) -> str:
    return f"""ListenUDP {LOOPBACK}:{udp_port}
{tls}client device {{
	host {LOOPBACK}
	type udp
	secret {secret}
}}
server far {{
	host {LOOPBACK}
	port {tls_port}
	type tls
	secret {TLS_SECRET}
}}
realm * {{
	server far
}}
"""


def _far(tls_port: int, there: str, secret: str, tls: str) -> str:
    host, _, port = there.rpartition(":")
    return f"""ListenTLS {LOOPBACK}:{tls_port}
{tls}client near {{
	host {LOOPBACK}
	type tls
	secret {TLS_SECRET}
}}
server behind {{
	host {host}
	port {port}
	type udp
	secret {secret}
	RetryInterval {RETRY_INTERVAL_S}
	RetryCount {RETRIES}
}}
realm * {{
	server behind
}}
"""
