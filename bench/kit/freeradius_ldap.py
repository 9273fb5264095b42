"""FreeRADIUS as the competitor where a directory checks the password: rlm_ldap, and rlm_python3 for the second factor.

rlm_ldap does what a login needs and nothing else: it searches the user below a base, and binds with what it found. Its
connections are kept, one for each thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.kit.freeradius import python_call, start_freeradius
from bench.kit.processes import Process

NETWORK_S = 10


@dataclass(frozen=True)
class LdapModule:
    """What rlm_ldap is told of a directory.

    Attributes:
        uri: of the server.
        identity: who searches: a DN, or what the server takes instead.
        password: of that account.
        base: where users are looked for.
        attribute: in which the name stands.
        ca_file: whom to trust.
    """

    uri: str
    identity: str
    password: str
    base: str
    attribute: str
    ca_file: Path


def start_ldap_proxy(
    folder: Path,
    port: int,
    core: int,
    directory: LdapModule | None,
    api: tuple[int, Path] | None,
    threads: int,
) -> Process:
    """Start a FreeRADIUS that asks a directory, and then the second factor.

    Args:
        folder: where its configuration goes.
        port: where it listens.
        core: the core it may use.
        directory: who checks passwords; None: nobody, everybody is let in.
        api: where the stand-in listens and whom to trust there; None: no second factor.
        threads: how many logins it can work on at once.
    """
    own = folder / "freeradius"
    own.mkdir()
    modules, second = "", ""
    environment: dict[str, str] = {}
    if api is not None:
        modules, environment = python_call(own, *api)
        second = "post-auth {\n\tpython3\n}"
    if directory is None:
        sections = "authorize {\n\tupdate control {\n\t\tAuth-Type := Accept\n\t}\n}\nauthenticate {\n}\n"
    else:
        modules += _ldap(directory, threads)
        sections = _LDAP_SECTIONS
    return start_freeradius(own, port, core, modules, sections + second, threads, environment=environment)


_LDAP_SECTIONS = """authorize {
	ldap
	if (ok || updated) {
		update control {
			Auth-Type := LDAP
		}
	}
}
authenticate {
	Auth-Type LDAP {
		ldap
	}
}
"""


def _ldap(directory: LdapModule, threads: int) -> str:
    return f"""
ldap {{
	server = "{directory.uri}"
	identity = "{directory.identity}"
	password = "{directory.password}"
	base_dn = "{directory.base}"
	user {{
		base_dn = "{directory.base}"
		filter = "({directory.attribute}=%{{User-Name}})"
		scope = 'sub'
	}}
	options {{
		chase_referrals = no
		rebind = no
		res_timeout = {NETWORK_S}
		srv_timelimit = {NETWORK_S}
		net_timeout = {NETWORK_S}
	}}
	tls {{
		ca_file = {directory.ca_file}
		require_cert = 'demand'
	}}
	pool {{
		start = 0
		min = 0
		max = {threads}
		spare = {threads}
		uses = 0
		retry_delay = 1
		lifetime = 0
		idle_timeout = 0
	}}
}}
"""
