"""Who stands between LDAP clients and the directory in a measurement: nobody, HAProxy, ldaptor's ProxyBase, and we."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from bench.kit.competition import KIT, Api, run_duoproxy
from bench.kit.freeradius import IKEY, SKEY
from bench.kit.processes import LOOPBACK, BenchFault, Process, python
from tests.peers.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD

START_S = 20.0

Starter = Callable[[Path, int, int], Process]
"""Starts a proxy in a folder, on a port, on a core."""


def start_haproxy(folder: Path, port: int, core: int, directory_port: int) -> Process:
    """Start HAProxy in TCP mode with one thread: it moves octets, and knows nothing of LDAP."""
    program = shutil.which("haproxy")
    if program is None:
        raise BenchFault("not installed: haproxy (sudo make peers)")
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        f"""global
    maxconn 1000
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
listen ldap
    bind {LOOPBACK}:{port}
    server directory {LOOPBACK}:{directory_port}
""",
        "ascii",
    )
    return _listening(Process("haproxy", [program, "-db", "-f", str(configuration)], folder, core), port)


def start_ldaptor(folder: Path, port: int, core: int, directory_port: int) -> Process:
    """Start ldaptor's ProxyBase."""
    script = python(KIT / "ldaptor_proxy.py", str(port), str(directory_port))
    return _listening(Process("ldaptor", script, folder, core), port)


def start_ldap_duoproxy(
    folder: Path, port: int, core: int, directory_port: int, api: Api, profile: Path | None = None
) -> Process:
    """Start our proxy; the first bind of a connection needs no second factor, so that Duo is never asked."""
    sections = f"""
[ad_client]
host={LOOPBACK}
port={directory_port}
transport=clear
auth_type=plain
service_account_username=svc-duo
service_account_password={SERVICE_PASSWORD}
bind_dn={SERVICE_DN}
search_dn={BASE}
username_attribute=uid

[ldap_server_auto]
ikey={IKEY}
skey={SKEY}
api_host=localhost:{api.port}
http_ca_certs_file={api.ca_file}
client=ad_client
failmode=secure
interface={LOOPBACK}
port={port}
exempt_primary_bind=true
"""
    environment = {"DUOPROXY_BENCH_PROFILE": str(profile or "")}
    return _listening(run_duoproxy(folder / "duoproxy", core, sections, environment), port)


def _listening(process: Process, port: int) -> Process:
    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=START_S):
            return True
        return False

    try:
        process.wait_until(answers, START_S)
    except BaseException:
        process.stop()
        raise
    return process
