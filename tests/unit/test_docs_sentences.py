"""The log lines that docs/ quotes are those that the product writes."""

from __future__ import annotations

import ast
import errno
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest
from twisted.internet.error import ConnectionRefusedError

from duoproxy.duoapi import sentences as duo
from duoproxy.duoapi.answers import ErrorAnswer
from duoproxy.duoapi.sentences import Clauses
from duoproxy.errors import PrimaryUnreachable, ServiceUnavailable
from duoproxy.ldap import refusals
from duoproxy.net import eap_sentences as eap
from duoproxy.net import ldap_sentences as ldap
from duoproxy.net import ldap_server_sentences as ldap_client
from duoproxy.net import radius_sentences as radius
from duoproxy.net.server_certificates import expiry_sentence
from duoproxy.net.tls import CertificateRefused
from duoproxy.service.descriptors import raise_descriptor_limit

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TROUBLESHOOT = ROOT / "docs/how-to/troubleshoot.md"

SERVER, CLIENT, DEVICE, UPSTREAM = "radius_server_auto", "radius_client", "10.1.2.20", "10.1.2.10:1812"
APPLICATION = "10.1.2.40"
EAP_SERVER, LOGIN_ID = "radius_server_eap", "5f2a91c07e"
IKEY, API_HOST = "DIXXXXXXXXXXXXXXXXXX", "api-XXXXXXXX.duosecurity.com"
SERVICE = duo.service_name(API_HOST)


def _said(clauses: Clauses) -> str:
    """As the line of a login has it behind the bar."""
    return str(ServiceUnavailable(SERVICE, clauses.cause, clauses.remedy))


def _refusal(status: int, code: int = 0) -> str:
    return _said(duo.refusal(ErrorAnswer(status, code), SERVER, IKEY))


_UNTRUSTED = duo.untrusted_certificate("CN=Gateway CA", "the certificate of its issuer is not known")

DIRECTORY, LDAPS_DIRECTORY = "dc1.corp.example:389", "dc1.corp.example:636"
AD_SAYS = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {}, v4563"
_UNKNOWN_AUTHORITY = CertificateRefused("CN=Corp CA", "the certificate of its issuer is not known")


def _directory(clauses: ldap.Clauses, directory: str = DIRECTORY) -> str:
    """As the line of a login has it behind the bar."""
    return str(PrimaryUnreachable(f"directory {directory}", *clauses))


def _refused_with(code: str) -> str:
    """What the log says of a bind that Active Directory refuses with a sub-code."""
    return refusals.explain(49, AD_SAYS.format(code), DIRECTORY).sentence


def _result(code: int, diagnostic: str = "") -> str:
    return refusals.explain(code, diagnostic, DIRECTORY).sentence


DIRECTORY_SENTENCES = (
    eap.no_eap(DEVICE, EAP_SERVER),
    eap.two_credentials(DEVICE),
    eap.unknown_state(DEVICE),
    eap.begins_nothing(DEVICE, "a response of another type, while nothing was sent"),
    eap.packet_ignored(DEVICE, "a response to request 3, not to 4"),
    eap.step_in_progress(DEVICE),
    eap.no_room(DEVICE, 10_000),
    eap.given_up_for_others(DEVICE, 10_000),
    eap.conversation_failed(LOGIN_ID, DEVICE, "alice", "TLS: tlsv1 alert unknown ca"),
    eap.nothing_more_came(LOGIN_ID, DEVICE, "alice", "PEAPv1, no TLS; given up, the method goes on"),
    eap.failed_after_the_answer(LOGIN_ID, DEVICE, "the peer does not confirm the success"),
    eap.gave_up_before_the_answer(LOGIN_ID, DEVICE, 31),
    eap.perhaps_gave_up_before_the_refusal(LOGIN_ID, DEVICE, 60),
    eap.began_again_before_the_answer(LOGIN_ID, DEVICE, 15),
    ldap_client.ldap_client_too_many(APPLICATION, 4_096),
    ldap_client.ldap_client_fault(APPLICATION, "an LDAP message begins with 0x30, not 0x16 (this looks like TLS)"),
    ldap_client.ldap_client_early_octets(APPLICATION, 40),
    ldap_client.ldap_client_no_directory(
        APPLICATION, _directory(ldap.connect_timeout(10, 636), "dc1.corp.example:636")
    ),
    expiry_sentence(12, EAP_SERVER),
    expiry_sentence(-1, EAP_SERVER),
    "{}. {}.".format(*ldap.group_missing("CN=VPN Users,OU=Groups,DC=corp,DC=example")),
    _directory(ldap.no_answer(10)),
    _directory(ldap.connect_timeout(10, 389)),
    _directory(ldap.handshake_timeout(10)),
    _directory(ldap.name_unknown("dc1.corp.example")),
    _directory(ldap.no_connection(ConnectionRefusedError(errno.ECONNREFUSED), 389)),
    _directory(ldap.start_tls_refused(52, "Server Down")),
    _directory(ldap.connection_lost()),
    _directory(ldap.disconnected(52, "shutting down")),
    _directory(ldap.not_ldap("an LDAP message begins with 0x30, not 0x48")),
    _directory(ldap.too_many_outstanding(256)),
    _directory(ldap.too_many_waiting(1_000)),
    str(PrimaryUnreachable(f"directory {DIRECTORY}", ldap.stopping()[0])),
    _directory(ldap.untrusted(_UNKNOWN_AUTHORITY)),
    _directory(ldap.tls_failure("unsupported protocol")),
    f"directory {DIRECTORY}: {ldap.why_lost(ConnectionError(), in_handshake=True)}",
    _directory(ldap.ntlm_not_over_tls(8, "BindSimple: Transport encryption required.")),
    _directory(ldap.ntlm_failed("the server says yes before it saw the password")),
    ldap.server_left_out(DIRECTORY, "; ".join(ldap.no_answer(10)), 10),
    ldap.server_back(DIRECTORY),
    ldap.service_account_refused(DIRECTORY, "name or password is wrong, data 52e", 60),
    _directory(ldap.service_account_paused("name or password is wrong, data 52e", 42)),
    *(_refused_with(code) for code in refusals._SUB_CODES),
    _refused_with("999"),
    *(_result(code) for code in refusals._RESULTS),
    _result(123, "something new"),
)

SENTENCES = (
    *DIRECTORY_SENTENCES,
    radius.listen_refused("", 1812, errno.EADDRINUSE, ""),
    radius.listen_refused("10.1.2.3", 1812, errno.EADDRNOTAVAIL, ""),
    radius.listen_refused("", 812, errno.EACCES, ""),
    radius.small_receive_buffer(208 * 1024, 4096 * 1024),
    radius.unknown_device("10.1.2.99", SERVER),
    radius.wrong_secret(DEVICE, "radius_secret_1", SERVER),
    radius.malformed_request(DEVICE, "its length is wrong"),
    radius.unknown_code(DEVICE, 4),
    radius.message_authenticator_required(DEVICE, SERVER, armed=True),
    radius.message_authenticator_required(DEVICE, SERVER, armed=False),
    radius.message_authenticator_always_needed(DEVICE, "EAP"),
    radius.proxy_state_refused(DEVICE, SERVER, "auto"),
    radius.proxy_state_tolerated(DEVICE, SERVER),
    radius.duplicate_joined(DEVICE, "'alice'"),
    radius.device_stopped_waiting(DEVICE, 21, 5),
    radius.too_busy(DEVICE, 16_384),
    radius.invalid_request(DEVICE, "User-Name is too long"),
    radius.handler_fault(DEVICE),
    radius.unknown_challenge_state(DEVICE),
    radius.challenge_given_up(DEVICE, 10_000),
    radius.reply_not_sent(DEVICE),
    radius.reply_does_not_fit(DEVICE, "it is longer than 4096 octets"),
    radius.upstream_reply_forged(UPSTREAM, CLIENT, "secret"),
    radius.upstream_reply_unsigned(UPSTREAM, CLIENT, armed=True),
    radius.upstream_strange_reply("10.1.2.77", "it comes from no server that was asked"),
    radius.upstream_refused(UPSTREAM),
    radius.upstream_silent(UPSTREAM, 10),
    radius.upstream_back(UPSTREAM),
    radius.upstream_name_unknown("nps.corp.example"),
    radius.upstream_socket_refused("Too many open files"),
    radius.name_lookup_failed("nps.corp.example", "Name or service not known", "10.1.2.10"),
    radius.name_moved("nps.corp.example", "10.1.2.10", "10.1.2.11"),
    _refusal(401, 40102),
    _refusal(401, 40103),
    _refusal(401, 40105),
    _refusal(403, 40301),
    _refusal(404),
    _refusal(429),
    _said(duo.server_trouble(ErrorAnswer(503))),
    _said(duo.unexpected("the answer is not in the API's form")),
    _said(duo.no_connection("Connection refused", 443)),
    _said(duo.unknown_host(SERVER)),
    _said(duo.connect_timeout(10.0, 443)),
    _said(duo.tls_failure("unsupported protocol")),
    _said(_UNTRUSTED),
    duo.certificate_log(SERVICE, _UNTRUSTED, SERVER),
    duo.stray_certificate_log(SERVICE, _UNTRUSTED, SERVER),
    _said(duo.proxy_refused("10.1.2.80:3128", "HTTP/1.1 403 Forbidden")),
    _said(duo.proxy_unreachable("10.1.2.80:3128", "Connection refused")),
    _said(duo.answer_timeout(15.0)),
    _said(duo.connection_lost()),
    _said(duo.answer_too_long(262_144)),
    _said(duo.budget_spent()),
    _said(duo.too_many_pending(10_000)),
    _said(duo.answer_lost(duo.connection_lost())),
    _said(duo.stopping()),
    duo.clock_drift(SERVICE, 412.0, SERVER),
    duo.older_generation(SERVICE, IKEY, SERVER),
    _said(duo.rate_limit_and_then("no answer within 15 s")),
    _said(duo.lacking_here("Too many open files")),
    _said(duo.too_slow_here(7.4, "no connection within 10 s")),
)

PREFIX = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[[\w.-]+#[a-z]+\] ")
LOG_BLOCK = re.compile(r"^[ ]*```log\n(.*?)^[ ]*```", re.DOTALL | re.MULTILINE)
MIN_LITERAL_CHARACTERS = 8


def _quoted_lines() -> list[tuple[Path, str]]:
    """Every log line that docs quote, without time, section and level."""
    blocks = [(page, block) for page in PAGES for block in LOG_BLOCK.findall(page.read_text(encoding="utf-8"))]
    lines = [(page, line.strip()) for page, block in blocks for line in block.splitlines() if line.strip()]
    return [(page, PREFIX.sub("", line)) for page, line in lines]


QUOTED = _quoted_lines()


def _templates() -> list[re.Pattern[str]]:
    """Every text of the source that is long enough to tell, with its placeholders as `.*`."""
    patterns = set()
    for source in (ROOT / "duoproxy").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [
                re.split(r"\{[a-z_]+(?:![rs])?(?::[^}]*)?\}", part.value)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
                else ["", ""]
                for part in parts
            ]
            if sum(len(piece) for pieces in texts for piece in pieces) >= MIN_LITERAL_CHARACTERS:
                patterns.add("".join(".*".join(map(re.escape, pieces)) for pieces in texts))
    return [re.compile(pattern) for pattern in patterns]


TEMPLATES = _templates()


def _is_ours(text: str) -> bool:
    return text in SENTENCES or any(template.fullmatch(text) for template in TEMPLATES)


def test_docs_quote_log_lines() -> None:
    """The other tests would hold nothing if the marks of the blocks had changed."""
    assert len(QUOTED) > len(SENTENCES)


@pytest.mark.parametrize(("page", "line"), QUOTED, ids=[f"{page.stem}-{n}" for n, (page, _) in enumerate(QUOTED)])
def test_a_quoted_log_line_is_one_that_the_product_writes(page: Path, line: str) -> None:
    """Literally, but for the values in it; what stands behind a bar is a sentence of its own."""
    head, bar, detail = line.partition(" | ")
    assert _is_ours(head), f"{page}: {head}"
    if bar:
        detail = re.sub(r"\. failmode=(safe: let in without a second factor|secure: rejected)\.$", "", detail)
        assert _is_ours(detail), f"{page}: {detail}"


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_stands_literally_in_troubleshoot(sentence: str) -> None:
    """Whoever searches for a line of the log finds it, with its remedy."""
    lines = [line for page, line in QUOTED if page == TROUBLESHOOT]
    assert any(sentence in line for line in lines), sentence


SENTENCE_MODULES = {"radius": radius, "duo": duo, "ldap": ldap, "ldap_client": ldap_client, "eap": eap}
WORDS_INSIDE = {"ldap.system_words"}
"""What is no sentence, but stands in one."""


@pytest.mark.parametrize("name", SENTENCE_MODULES)
def test_every_function_of_a_sentence_module_is_in_the_list(name: str) -> None:
    """A new sentence comes with its place in the page."""
    source = Path(__file__).read_text(encoding="utf-8")
    module: ModuleType = SENTENCE_MODULES[name]
    functions = [
        function
        for function, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not function.startswith("_")
    ]
    assert [
        function
        for function in functions
        if f"{name}.{function}(" not in source and f"{name}.{function}" not in WORDS_INSIDE
    ] == []


def test_the_sentence_about_open_files_stands_in_troubleshoot(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made by the service from the limit that it finds."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    assert raise_descriptor_limit(10_000) in [line for page, line in QUOTED if page == TROUBLESHOOT]
