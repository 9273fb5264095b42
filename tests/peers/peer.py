"""The real programs that tests talk to: what each is called, which Debian package brings it, what its absence means.

Also a command for `make peers`, which has no virtual environment yet: this file imports the standard library only.

    python3 tests/peers/peer.py packages    the packages of all missing peers, one a line
    python3 tests/peers/peer.py services    the services that these packages would start, one a line
    python3 tests/peers/peer.py list        what is here and what is not
"""

from __future__ import annotations

import enum
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALL_COMMAND = "sudo make peers"

# Where Debian keeps servers: not in everybody's PATH.
_MORE_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Peer:
    """One real program.

    Attributes:
        name: what a test asks for.
        package: the Debian package that brings it.
        programs: names of its executable, the first found counts; empty when it is a file beside another peer.
        files: glob patterns from `/`, for what is not an executable; each must match.
        services: systemd units that the package would start at the next boot.
    """

    name: str
    package: str
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def path(self) -> str | None:
        """Find the executable: its full path, or None."""
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_PATH])
        found = (shutil.which(program, path=search) for program in self.programs)
        return next((path for path in found if path), None)

    def is_here(self) -> bool:
        """Whether everything that a test needs of this peer is installed."""
        has_files = all(any(Path("/").glob(pattern)) for pattern in self.files)
        return has_files and (not self.programs or self.path() is not None)


PEERS: tuple[Peer, ...] = (
    Peer("radclient", "freeradius-utils", ("radclient",)),
    Peer("eapol_test", "eapoltest", ("eapol_test",)),
    Peer("freeradius", "freeradius", ("freeradius", "radiusd"), services=("freeradius.service",)),
    Peer("freeradius-rest", "freeradius-rest", files=("usr/lib/freeradius/rlm_rest.so",)),
    Peer("freeradius-python3", "freeradius-python3", files=("usr/lib/freeradius/rlm_python3.so",)),
    Peer("freeradius-ldap", "freeradius-ldap", files=("usr/lib/freeradius/rlm_ldap.so",)),
    Peer("radsecproxy", "radsecproxy", ("radsecproxy",), services=("radsecproxy.service",)),
    Peer("slapd", "slapd", ("slapd",), services=("slapd.service",)),
    Peer("ldapsearch", "ldap-utils", ("ldapsearch",)),
    Peer("python3-ldap", "python3-ldap", files=("usr/lib/python3/dist-packages/ldap/__init__.py",)),
    Peer("samba", "samba-ad-dc", ("samba",), services=("samba-ad-dc.service",)),
    Peer("samba-base", "samba", files=("usr/sbin/smbd",), services=("smbd.service", "nmbd.service")),
    Peer("samba-provision", "samba-ad-provision", files=("usr/share/samba/setup/provision.ldif",)),
    Peer("samba-dsdb", "samba-dsdb-modules", files=("usr/lib/*/samba/ldb/samldb.so",)),
    Peer("samba-vfs", "samba-vfs-modules", files=("usr/lib/*/samba/vfs/acl_xattr.so",)),
    Peer("samba-tool", "python3-samba", files=("usr/lib/python3/dist-packages/samba/__init__.py",)),
    Peer("ldb-tools", "ldb-tools", ("ldbadd",)),
    Peer("winbind", "winbind", ("winbindd",), services=("winbind.service",)),
    Peer("sshd", "openssh-server", ("sshd",), services=("ssh.service",)),
    Peer("ssh", "openssh-client", ("ssh",)),
    Peer("pam_radius_auth", "libpam-radius-auth", files=("usr/lib/*/security/pam_radius_auth.so",)),
    Peer("ocserv", "ocserv", ("ocserv",), services=("ocserv.service",)),
    Peer("openconnect", "openconnect", ("openconnect",)),
    Peer("charon", "strongswan-charon", files=("usr/lib/ipsec/charon",), services=("strongswan-starter.service",)),
    Peer("swanctl", "strongswan-swanctl", ("swanctl",)),
    Peer("xauth-radius", "libcharon-extra-plugins", files=("usr/lib/ipsec/plugins/libstrongswan-eap-radius.so",)),
    Peer("xauth-generic", "libcharon-extauth-plugins", files=("usr/lib/ipsec/plugins/libstrongswan-xauth-generic.so",)),
    Peer("libstrongswan", "libstrongswan-standard-plugins", files=("usr/lib/ipsec/plugins/libstrongswan-openssl.so",)),
    Peer("libipsec", "libcharon-extra-plugins", files=("usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so",)),
    Peer("openvpn", "openvpn", ("openvpn",), services=("openvpn.service",)),
    Peer("ip", "iproute2", ("ip",)),
    Peer("ping", "iputils-ping", ("ping",)),
    Peer("tshark", "tshark", ("tshark",)),
    Peer("curl", "curl", ("curl",)),
    Peer("haproxy", "haproxy", ("haproxy",), services=("haproxy.service",)),
    Peer("expect", "expect", ("expect",)),
    Peer("logrotate", "logrotate", ("logrotate",), services=("logrotate.timer",)),
    Peer("systemd", "systemd-sysv", files=("sbin/init",)),
    Peer("systemd-analyze", "systemd", ("systemd-analyze",)),
    Peer("systemd-nspawn", "systemd-container", ("systemd-nspawn",)),
    Peer("checkmodule", "checkpolicy", ("checkmodule",)),
    Peer("semodule_package", "semodule-utils", ("semodule_package",)),
    Peer("selinux-policy", "selinux-policy-dev", files=("usr/share/selinux/devel/Makefile",)),
    Peer("dpkg-buildpackage", "dpkg-dev", ("dpkg-buildpackage",)),
    Peer("debhelper", "debhelper", ("dh",)),
    Peer("lintian", "lintian", ("lintian",)),
    Peer("python3-venv", "python3-venv", ("python3",), files=("usr/lib/python3.*/ensurepip/__init__.py",)),
    Peer("chromium", "chromium", ("chromium", "chromium-browser", "google-chrome")),
)


def peer(name: str) -> Peer:
    """Look up a declared peer.

    Raises:
        LookupError: no peer is declared under this name.
    """
    for each in PEERS:
        if each.name == name:
            return each
    raise LookupError(f"no peer is called {name!r}; tests/peers/peer.py declares {', '.join(p.name for p in PEERS)}")


class Absence(enum.Enum):
    """What becomes of a test whose peer is not installed."""

    SKIP = "skip"
    FAILURE = "failure"


def meaning_of_absence(environment: Mapping[str, str]) -> Absence:
    """On a laptop a missing peer is a skip; where peers were asked for, or in CI, it is a failure."""
    required = environment.get("PEERS", "") in {"required", "install"} or environment.get("CI", "") in {"true", "1"}
    return Absence.FAILURE if required else Absence.SKIP


def missing(names: Iterable[str]) -> list[Peer]:
    """List the peers of these names that are not installed, in the given order.

    Raises:
        LookupError: a name that no peer has.
    """
    return [each for each in map(peer, names) if not each.is_here()]


def reason(absent: Sequence[Peer]) -> str:
    """Say in one line which peers are missing, and the command that brings them."""
    names = ", ".join(f"{each.name} (Debian package {each.package})" for each in absent)
    return f"not installed: {names}; `{INSTALL_COMMAND}` brings it"


def main(arguments: Sequence[str]) -> int:
    """Answer the questions of `make peers`."""
    absent = [each for each in PEERS if not each.is_here()]
    match list(arguments):
        case ["packages"]:
            lines = sorted({each.package for each in absent})
        case ["services"]:
            lines = sorted({service for each in absent for service in each.services})
        case ["list"]:
            lines = [f"{each.name:20} {'here' if each.is_here() else 'missing: ' + each.package}" for each in PEERS]
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    if lines:
        print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
