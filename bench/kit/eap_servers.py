"""Servers of PEAP with GTC: our [radius_server_eap], and FreeRADIUS with a users file; both know the same users.

Neither asks anybody else: our users need no second factor, and FreeRADIUS has none.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from bench.kit.competition import Api, run_duoproxy, server_options
from bench.kit.freeradius import PASSWORD, start_freeradius
from bench.kit.processes import Process
from bench.kit.radius_load import user_name
from duoproxy.tools.make_cert import MadeFiles, make_certificate

SERVER_NAME = "radius.example.com"
RSA, P_256 = "RSA-2048", "P-256"
FRAGMENT_BYTES = 1024
THREADS = 8
USERS = 100


def make_certificates(folder: Path) -> dict[str, MadeFiles]:
    """Make a self-signed certificate of each kind."""
    made = {}
    for kind in (RSA, P_256):
        (folder / kind).mkdir(parents=True)
        now = datetime.datetime.now(datetime.UTC)
        made[kind] = make_certificate(SERVER_NAME, folder / kind, now, days=90, use_rsa=kind == RSA)
    return made


def start_own(
    folder: Path, port: int, core: int, certificate: MadeFiles, api: Api, profile: Path | None = None
) -> Process:
    """Start our proxy; it is given an API, which it does not need to ask, and where samples of its stack go."""
    names = [user_name(number) for number in range(USERS)]
    users = "".join(f"user_{number}={name}:{PASSWORD}\n" for number, name in enumerate(names, start=1))
    exempt = "".join(f"exempt_username_{number}={name}\n" for number, name in enumerate(names, start=1))
    return run_duoproxy(
        folder / "duoproxy",
        core,
        f"[sandbox_users]\n{users}\n[radius_server_eap]\nclient=sandbox_users\n{server_options(port, api)}"
        f"certs={certificate.certificate}\npkey={certificate.key}\nmax_fragment_bytes={FRAGMENT_BYTES}\n{exempt}",
        {"DUOPROXY_BENCH_PROFILE": str(profile or "")},
    )


def start_theirs(folder: Path, port: int, core: int, certificate: MadeFiles) -> Process:
    """Start FreeRADIUS, without resumption, as ours."""
    own = folder / "peap"
    own.mkdir()
    (own / "users").write_text(
        "".join(f'{user_name(number)} Cleartext-Password := "{PASSWORD}"\n' for number in range(USERS)), "ascii"
    )
    modules = _MODULES.format(
        certificate=certificate.certificate, key=certificate.key, fragment_bytes=FRAGMENT_BYTES, folder=own
    )
    sections = "authorize {\n\teap\n}\nauthenticate {\n\teap\n}"
    return start_freeradius(own, port, core, modules, sections, THREADS, f"proxy_requests = no\n{_INNER}")


_MODULES = """eap {{
	default_eap_type = peap
	timer_expire = 60
	ignore_unknown_eap_types = no
	max_sessions = 65536
	tls-config common {{
		certificate_file = {certificate}
		private_key_file = {key}
		tls_min_version = "1.2"
		tls_max_version = "1.3"
		cipher_list = "DEFAULT"
		ecdh_curve = ""
		fragment_size = {fragment_bytes}
		cache {{
			enable = no
		}}
	}}
	gtc {{
		auth_type = PAP
	}}
	peap {{
		tls = common
		default_eap_type = gtc
		virtual_server = inner
	}}
}}
pap {{
}}
files {{
	filename = {folder}/users
}}"""

_INNER = """server inner {
authorize {
	eap {
		ok = return
	}
	files
	pap
}
authenticate {
	Auth-Type PAP {
		pap
	}
	eap
}
}"""
