"""A FreeRADIUS that takes proofs of passwords and asks its users questions, and one proxy in front of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from duoproxy.ldap.nt_hash import md4, nt_hash
from duoproxy.secret import Secret
from tests.peers import peer
from tests.peers.controls import Controls
from tests.peers.freeradius import SECRET, Rooms, User, running_freeradius
from tests.peers.lab import Lab
from tests.peers.ports import free_ports
from tests.peers.proxy import Sections, start_proxy
from tests.peers.sandbox import SandboxPorts, sandbox_sections
from tests.peers.server import RunningServer

PASSWORD = "clientPass"  # of RFC 2759 §9.2, as is the name `User`
NEW_PASSWORD = "a new password"
FIRST_CODE, SECOND_CODE = "111111", "222222"
GRANTED = ("Class = 0x636c617373", "Filter-Id = vpn", 'Reply-Message = "Hello from FreeRADIUS"')
USERS: Mapping[str, User] = {
    "User": User(PASSWORD, GRANTED),
    "dave": User(PASSWORD, GRANTED),
    "ivan": User(PASSWORD, GRANTED),
    "codes": User(PASSWORD, GRANTED),
    "endless": User(PASSWORD),
    "expired": User(PASSWORD, GRANTED),
    "must-change": User(PASSWORD, GRANTED),
    "exempt": User(PASSWORD, GRANTED),
}
PEOPLE: Mapping[str, str] = {
    "User": "push approve-after 0",
    "dave": "push deny-after 0",
    "codes": "push approve-after 0 passcode 424242",
    "endless": "push approve-after 0",
    "expired": "push approve-after 0",
    "must-change": "push approve-after 0",
    "ivan": "push approve-after 3",
}


def _asks(name: str, correct: str, state: str, text: str, more: str = "") -> str:
    """An Auth-Type that takes one answer and puts the next question."""
    return f"""	Auth-Type {name} {{
		if ({correct}) {{
			update reply {{
				&Reply-Message := "{text}"
				&State := {state}
				{more}
			}}
			update control {{
				&Response-Packet-Type := Access-Challenge
			}}
			handled
		}}
		else {{
			reject
		}}
	}}
"""


def _ends(name: str, correct: str) -> str:
    """An Auth-Type that takes the last answer."""
    return f"""	Auth-Type {name} {{
		if ({correct}) {{
			ok
		}}
		else {{
			reject
		}}
	}}
"""


def _typed(text: str) -> str:
    return f'&User-Password == "{text}"'


PROOFS_AND_QUESTIONS = Rooms(
    modules="""always ok {
	rcode = ok
}
always reject {
	rcode = reject
}
chap {
}
mschap {
	use_mppe = yes
	require_encryption = yes
	require_strong = yes
	with_ntdomain_hack = yes
}
mschap mschap_change {
	use_mppe = yes
	ntlm_auth = "${confdir}/nt-key %{User-Name}"
	passchange {
		ntlm_auth = "${confdir}/change-password"
		ntlm_auth_username = "username: %{User-Name}"
	}
}
""",
    authorize="""files
	chap
	mschap
	if (&User-Name == "expired" && !&MS-CHAP2-CPW) {
		update control {
			&SMB-Account-CTRL := 0x00020010
		}
	}
	if (&MS-CHAP2-CPW) {
		update control {
			&Auth-Type := Change
		}
	}
	if (&User-Name == "codes") {
		if (!&State) {
			update control { &Auth-Type := Codes1 }
		}
		elsif (&State == 0x6f6e65) {
			update control { &Auth-Type := Codes2 }
		}
		else {
			update control { &Auth-Type := Codes3 }
		}
	}
	if (&User-Name == "endless") {
		update control { &Auth-Type := Endless }
	}
	if (&User-Name == "must-change") {
		if (!&State) {
			update control { &Auth-Type := Change1 }
		}
		elsif (&State == 0x6f6c64) {
			update control { &Auth-Type := Change2 }
		}
		else {
			update control { &Auth-Type := Change3 }
		}
	}
	pap""",
    authenticate="""	Auth-Type CHAP {
		chap
	}
	Auth-Type MS-CHAP {
		mschap
	}
	Auth-Type Change {
		mschap_change
	}
"""
    + _asks("Codes1", _typed(PASSWORD), "0x6f6e65", "Enter the first code", "&Prompt := Echo\n&Session-Timeout := 45")
    + _asks("Codes2", _typed(FIRST_CODE), "0x74776f", "Enter the second code", "&Session-Timeout := 900")
    + _ends("Codes3", _typed(SECOND_CODE))
    + _asks("Endless", "&User-Name", "0x6f6e65", "And again?")
    + _asks("Change1", _typed(PASSWORD), "0x6f6c64", "Your password has expired. New password:", "&Prompt := No-Echo")
    + _asks("Change2", _typed(NEW_PASSWORD), "0x6e6577", "Once more:", "&Prompt := No-Echo")
    + _ends("Change3", _typed(NEW_PASSWORD)),
)


@dataclass(frozen=True)
class RelayLab:
    """What runs.

    Attributes:
        lab: the proxy.
        freeradius: the server behind it.
        upstream: its `host:port`.
    """

    lab: Lab
    freeradius: RunningServer
    upstream: str


# In the place of ntlm_auth of Samba: the change is real when all 516 octets of the new password came, and then the new
# password counts. FreeRADIUS 3.2.1 could do it alone (`local_cpw`), but needs RC4 of OpenSSL for that, which version 3
# has put away: it ends with a segmentation fault.
SCRIPTS = {
    "change-password": """#!/bin/sh
while read -r line && [ "$line" != . ]; do case $line in new-nt-password-blob:*) new=${#line};; esac; done
[ "$new" = 1054 ] && echo "Password-Change: Yes" || echo "Password-Change: No"
echo .
""",
    "nt-key": f"""#!/bin/sh
echo "NT_KEY: {md4(nt_hash(Secret(NEW_PASSWORD)).reveal()).hex().upper()}"
""",
}

CLIENT = {"client": "radius_client"}
LISTENERS: Sections = {
    "auto": CLIENT,
    "all": {**CLIENT, "pass_through_all": "true"},
    "secure": {**CLIENT, "exempt_username_1": "exempt"},
    "pap-only": {"client": "sandbox_users"},
    "nobody": {"client": "duo_only_client"},
    "challenge": CLIENT,
}
"""Label to options. `challenge` is a [radius_server_challenge], the others are [radius_server_auto]."""


@contextlib.contextmanager
def running_relay_lab(folder: Path) -> Iterator[RelayLab]:
    """Run both; any address of 127.0.0.0/8 is a device."""
    program = peer.peer("freeradius").path()
    assert program is not None
    upstream, api, *ports = free_ports(2 + len(LISTENERS))
    (folder / "upstream").mkdir()
    for name, text in SCRIPTS.items():
        script = folder / "upstream" / name
        script.write_text(text, "ascii")
        script.chmod(0o755)
    with running_freeradius(
        program, upstream, USERS, folder=folder / "upstream", rooms=PROOFS_AND_QUESTIONS
    ) as freeradius:
        names = {label: _section(label, number) for number, label in enumerate(LISTENERS)}
        sections: dict[str, dict[str, object]] = {
            "radius_client": {"host": "127.0.0.1", "port": upstream, "secret": SECRET, "retries": 1, "retry_wait": 5},
            "duo_only_client": {},
            "main": {"shutdown_grace": 0},
        }
        for (label, options), port in zip(LISTENERS.items(), ports, strict=True):
            made = sandbox_sections(SandboxPorts(port, api), PEOPLE, server={**options, "radius_ip_1": "127.0.0.0/8"})
            sections[names[label]] = made.pop("radius_server_auto")
            sections.update(made)
        sections["sandbox_users"] = {"user_1": f"User:{PASSWORD}"}
        server = start_proxy(folder / "proxy", sections)
        addresses = {label: f"127.0.0.1:{port}" for label, port in zip(LISTENERS, ports, strict=True)}
        try:
            lab = Lab(server, Controls(api, server.folder / "sandbox-ca.pem"), addresses, names)
            yield RelayLab(lab, freeradius, f"127.0.0.1:{upstream}")
        finally:
            server.stop()


def _section(label: str, number: int) -> str:
    return "radius_server_challenge" if label == "challenge" else f"radius_server_auto{number or ''}"
