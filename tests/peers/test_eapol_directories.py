"""eapol_test against [radius_server_eap] with real directories behind: Samba as Active Directory, and OpenLDAP.

The directory sees one bind for each login, whatever is asked in the tunnel after it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from duoproxy.config.ini import read_ini
from duoproxy.tools.make_cert import MadeFiles
from tests.peers import peer, samba, slapd
from tests.peers.directory_lab import EVERYBODY
from tests.peers.eap_lab import SERVER_NAME, cause_of, explained, make_certificates, running_eap_lab
from tests.peers.eapol import TLS_1_2_ONLY, TLS_1_3_ONLY, EapolTest, Outcome
from tests.peers.lab import Lab
from tests.peers.proxy import ROOT
from tests.peers.samba import Account, SambaDomain
from tests.peers.slapd import Entry, Slapd

pytestmark = pytest.mark.needs_peer("eapol_test", *samba.PEERS, *slapd.PEERS)

PASSWORD = samba.PASSWORD
TLS = {"TLS 1.2": TLS_1_2_ONLY, "TLS 1.3": TLS_1_3_ONLY}
NTLM, AD_LDAPS, OPENLDAP = "AD, sealed NTLM", "AD, LDAPS", "OpenLDAP, LDAPS"
DIRECTORIES = (NTLM, AD_LDAPS, OPENLDAP)
ACTIVE_DIRECTORY = (NTLM, AD_LDAPS)
LONG_AGO = "20190101000000Z"

# ── who is in them ───────────────────────────────────────────────────────────────────────────────────────────────

ALICE, BOB, PAER = (Account(name) for name in ("alice", "bob", "pär"))
PWEXPIRED = Account("pwexpired")
COUNTED = {label: Account(f"counted{number}") for number, label in enumerate(ACTIVE_DIRECTORY)}
NEVER_IN = {
    "expired": "the account has expired",
    "pwexpired": "the password has expired",
    "mustchange": "the password must be changed first",
    "disabled": "the account is disabled",
}
ACCOUNTS = (
    *(ALICE, BOB, PAER, PWEXPIRED, *COUNTED.values()),
    Account(samba.SERVICE, password=samba.SERVICE_PASSWORD),
    Account("expired", more={"accountExpires": str(samba.NEVER_IN_2019)}),
    Account("mustchange", more={"pwdLastSet": "0"}),
    Account("disabled", flags=514),
)
POLICY = Entry(
    f"cn=policy,{slapd.BASE}",
    ["device", "pwdPolicy"],
    {"pwdAttribute": "userPassword", "pwdMaxAge": "86400", "pwdLockout": "TRUE", "pwdMustChange": "TRUE"},
)


def person(uid: str, **more: str) -> Entry:
    """Make a user of OpenLDAP with the same password as in Active Directory."""
    return slapd.person(uid, more={"userPassword": PASSWORD, **more})


PEOPLE = (
    *(person("alice"), person("bob"), person("pär"), POLICY),
    person("pwexpired", pwdChangedTime=LONG_AGO),
    person("locked", pwdAccountLockedTime="000001010000Z"),
    person("reset", pwdReset="TRUE"),
    slapd.group("vpn", [f"uid=alice,{slapd.PEOPLE}"]),
)


# ── what runs ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eap-directories")


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Mapping[str, MadeFiles]:
    return make_certificates(folder / "certificates")


@pytest.fixture(scope="module")
def domain(folder: Path) -> Iterator[SambaDomain]:
    place = folder / "samba"
    place.mkdir()
    with samba.running_domain(place, ACCOUNTS, [samba.Group("VPN Users", [ALICE.dn])]) as made:
        made.expire_password(PWEXPIRED)
        made.run()
        yield made


@pytest.fixture(scope="module")
def openldap(folder: Path) -> Iterator[Slapd]:
    place = folder / "slapd"
    last = f'overlay ppolicy\nppolicy_default "cn=policy,{slapd.BASE}"\n'
    with slapd.running_slapd(place, PEOPLE, first="moduleload ppolicy\n", last=last) as server:
        yield server


@pytest.fixture(scope="module")
def lab(folder: Path, certificates: Mapping[str, MadeFiles], domain: SambaDomain, openldap: Slapd) -> Iterator[Lab]:
    """Two listeners for each directory: one lets everybody in, one the members of a group."""
    ntlm: dict[str, object] = {
        "host": domain.address,
        "service_account_username": samba.SERVICE,
        "service_account_password": samba.SERVICE_PASSWORD,
        "search_dn": samba.BASE,
        "ssl_ca_certs_file": domain.ca_file,
    }
    whole: dict[str, dict[str, object]] = {
        NTLM: ntlm,
        AD_LDAPS: {**ntlm, "auth_type": "plain", "transport": "ldaps"},
        # It calls an expired password a wrong one, and that would be refused from memory the second time.
        OPENLDAP: openldap.options("ldaps", lockout_shield="false"),
    }
    groups = {OPENLDAP: slapd.group_dn("vpn")}
    restricted = {
        f"{label}, group": {**options, "security_group_dn": groups.get(label, samba.group_dn("VPN Users"))}
        for label, options in whole.items()
    }
    clients = {**whole, **restricted}
    names = {label: f"ad_client{number or ''}" for number, label in enumerate(clients)}
    listeners = {label: {"client": name} for label, name in names.items()}
    more = {names[label]: options for label, options in clients.items()}
    with running_eap_lab(folder / "proxy", listeners, certificates, EVERYBODY, more) as running:
        yield running


@dataclass(frozen=True)
class Login:
    """What became of one login: for eapol_test, and in the log."""

    outcome: Outcome
    cause: str
    log: str


LogIn = Callable[..., Login]


@pytest.fixture
def log_in(folder: Path, lab: Lab, certificates: Mapping[str, MadeFiles]) -> LogIn:
    path = peer.peer("eapol_test").path()
    assert path is not None
    program = EapolTest(path, folder)
    lab.controls.reset()

    def run(label: str, user: str, answers: list[str] | None = None, **network: object) -> Login:
        begin = len(lab.log())
        shown = str(certificates["ECDSA"].certificate)
        known: dict[str, object] = {"identity": user, "ca_cert": shown, "domain_match": SERVER_NAME}
        if answers is None:
            known["password"] = PASSWORD
        outcome = program.run(lab.addresses[label], {**known, **network}, answers=answers)
        return Login(outcome, cause_of(lab, user, begin), lab.log()[begin:])

    return run


# ── who gets in ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("label", "version", "tls"), list(itertools.product(DIRECTORIES, (0, 1), TLS)))
def test_a_right_password_and_a_push_let_in_with_equal_keys(
    lab: Lab, log_in: LogIn, label: str, version: int, tls: str
) -> None:
    """The supplicant answers both prompts with its stored password: one push, and Duo never sees the password."""
    login = log_in(label, "alice", phase1=f"peapver={version} {TLS[tls]}")
    assert login.outcome.let_in, explained(lab, login.outcome)
    assert login.cause == "approved"
    assert f"(PEAPv{version}, {tls.replace(' ', 'v')})" in login.log
    assert lab.controls.call("/sandbox/state")["asked"] == {"alice": {"push": 1}}
    assert PASSWORD not in str(lab.controls.call("/sandbox/state"))


@pytest.mark.parametrize("label", DIRECTORIES)
def test_a_password_and_a_typed_factor_let_in(lab: Lab, log_in: LogIn, label: str) -> None:
    """Two prompts, with a name beyond ASCII."""
    login = log_in(label, "pär", answers=[PASSWORD, "push"])
    assert login.outcome.let_in, explained(lab, login.outcome)
    assert len(login.outcome.prompts) == 2
    assert lab.controls.asked("pär") == {"push": 1}


@pytest.mark.parametrize("label", DIRECTORIES)
def test_a_member_of_the_group_is_let_in(lab: Lab, log_in: LogIn, label: str) -> None:
    """security_group_dn: who is in it."""
    assert log_in(f"{label}, group", "alice").outcome.let_in


# ── who does not ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("label", DIRECTORIES)
def test_a_wrong_password_is_refused(lab: Lab, domain: SambaDomain, log_in: LogIn, label: str, version: int) -> None:
    """One EAP-Failure without a second prompt; nobody is asked."""
    login = log_in(label, "bob", password=f"wrong {label} {version}", phase1=f"peapver={version}")
    assert login.outcome.refused, explained(lab, login.outcome)
    assert login.cause == "password-refused"
    assert lab.controls.asked("bob") == {}
    domain.unlock(BOB)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("label", DIRECTORIES)
def test_who_is_in_no_group_is_refused(lab: Lab, log_in: LogIn, label: str, version: int) -> None:
    """security_group_dn: with the right password, and yet nobody is asked."""
    login = log_in(f"{label}, group", "bob", phase1=f"peapver={version}")
    assert login.outcome.refused, explained(lab, login.outcome)
    assert login.cause == "password-refused"
    assert "is in none of the groups of security_group_dn" in login.log
    assert lab.controls.asked("bob") == {}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("user", NEVER_IN)
@pytest.mark.parametrize("label", ACTIVE_DIRECTORY)
def test_an_account_of_active_directory_that_may_not_log_in(
    lab: Lab, log_in: LogIn, label: str, user: str, version: int
) -> None:
    """Expired account, expired password, one to be changed, disabled: never a success; the log says which."""
    login = log_in(label, user, phase1=f"peapver={version}")
    assert login.outcome.refused, explained(lab, login.outcome)
    assert login.cause == "password-refused"
    assert NEVER_IN[user] in login.log
    assert lab.controls.asked(user) == {}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("user", ["pwexpired", "locked"])
def test_an_account_of_openldap_that_may_not_log_in(lab: Lab, log_in: LogIn, user: str, version: int) -> None:
    """Its password policy counts: an expired password, a locked account."""
    login = log_in(OPENLDAP, user, phase1=f"peapver={version}")
    assert login.outcome.refused, explained(lab, login.outcome)
    assert login.cause == "password-refused"
    assert "(invalidCredentials)" in login.log
    assert lab.controls.asked(user) == {}


def test_a_password_of_openldap_that_must_be_changed_is_no_success(lab: Lab, log_in: LogIn) -> None:
    """slapd says success to the bind; what its password policy says beside is a no."""
    login = log_in(OPENLDAP, "reset")
    assert login.outcome.refused, explained(lab, login.outcome)
    assert login.cause == "password-refused"
    assert "the password was reset and must be changed before anything else; the user has to set a new one" in login.log
    assert lab.controls.asked("reset") == {}


@pytest.mark.parametrize("label", ACTIVE_DIRECTORY)
def test_a_login_counts_once_at_most_in_the_directory(lab: Lab, domain: SambaDomain, log_in: LogIn, label: str) -> None:
    """A wrong password counts once; a stored one as the answer to the second prompt is not tried there again."""
    account = COUNTED[label]
    assert log_in(label, account.name, password=f"wrong {label}").outcome.refused
    assert domain.bad_passwords(account) == 1
    domain.unlock(account)
    assert log_in(label, account.name).outcome.let_in
    typed = log_in(label, account.name, answers=[PASSWORD, "a wrong answer", "push"])
    assert typed.outcome.let_in, explained(lab, typed.outcome)
    assert domain.bad_passwords(account) == 0


# ── the recipe ───────────────────────────────────────────────────────────────────────────────────────────────────

OF_THE_SITE = ("ikey", "skey", "api_host", "radius_ip_1", "radius_secret_1", "port", "certs", "pkey")


@pytest.fixture
def as_in_the_recipe(folder: Path, certificates: Mapping[str, MadeFiles], domain: SambaDomain) -> Iterator[Lab]:
    """conf/recipes/netmotion.cfg with this site's addresses, names, secrets and files; the rest as it is written."""
    domain.run("allow_sasl_over_tls")  # without that Samba takes no NTLM inside TLS; Windows does
    recipe: dict[str, dict[str, object]] = {
        section.name: {entry.key: entry.value for entry in section.entries}
        for section in read_ini(ROOT / "conf/recipes/netmotion.cfg").sections
    }
    recipe["ad_client"] |= {
        "host": domain.address,
        "service_account_username": f"{samba.SERVICE}@{samba.REALM}",
        "service_account_password": samba.SERVICE_PASSWORD,
        "search_dn": samba.BASE,
        "ssl_ca_certs_file": domain.ca_file,
    }
    listener = {name: value for name, value in recipe.pop("radius_server_eap").items() if name not in OF_THE_SITE}
    with running_eap_lab(folder / "recipe", {"recipe": listener}, certificates, EVERYBODY, recipe) as running:
        yield running
    domain.run()


def test_the_recipe_for_netmotion_works_with_samba_in_the_place_of_active_directory(
    as_in_the_recipe: Lab, folder: Path, certificates: Mapping[str, MadeFiles]
) -> None:
    """NTLM inside LDAPS, two prompts in the tunnel; a wrong password is refused."""
    path, lab = peer.peer("eapol_test").path(), as_in_the_recipe
    assert path is not None
    program, address = EapolTest(path, folder), lab.addresses["recipe"]
    shown = {"ca_cert": str(certificates["ECDSA"].certificate), "domain_match": SERVER_NAME}
    for version in (0, 1):
        network = {"identity": "alice", "password": PASSWORD, **shown, "phase1": f"peapver={version}"}
        outcome = program.run(address, network)
        assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("alice") == {"push": 2}
    refused = program.run(address, {"identity": "bob", "password": "wrong", **shown})
    assert refused.refused, explained(lab, refused)
