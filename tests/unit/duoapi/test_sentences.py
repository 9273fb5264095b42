"""The sentences about Duo, literally: cause and remedy of each."""

from __future__ import annotations

import pytest

from duoproxy.duoapi import sentences
from duoproxy.duoapi.answers import ErrorAnswer

SECTION, IKEY = "radius_server_auto", "DIWJ8X6AEYOR5OMC6TQ1"


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (
            ErrorAnswer(401, 40102, "Invalid integration key in request credentials"),
            "it does not know the integration key DIWJ8X6AEYOR5OMC6TQ1",
            "copy ikey of [radius_server_auto] again from the application's page in the Duo Admin Panel",
        ),
        (
            ErrorAnswer(401, 40103, "Invalid signature in request credentials"),
            "the secret key does not belong to DIWJ8X6AEYOR5OMC6TQ1",
            "copy skey of [radius_server_auto] again from the application's page in the Duo Admin Panel",
        ),
        (
            ErrorAnswer(401, 40105, "Bad request timestamp"),
            "it refuses the time of our requests",
            "set this machine's clock: timedatectl set-ntp true",
        ),
        (
            ErrorAnswer(403, 40301, "Access forbidden"),
            "the application of DIWJ8X6AEYOR5OMC6TQ1 may not ask for logins",
            "in the Duo Admin Panel protect an application of a RADIUS type, and set its ikey and skey in "
            "[radius_server_auto]",
        ),
        (
            ErrorAnswer(429, 42901),
            "it was asked too often (HTTP 429), also after waiting",
            "spread the logins over more time",
        ),
        (
            ErrorAnswer(404, 40401),
            "it does not know the API (HTTP 404)",
            "check api_host and api_generation of [radius_server_auto]",
        ),
        (
            ErrorAnswer(400, 40002, "Invalid request parameters, username"),
            "it refuses the request (HTTP 400, code 40002: Invalid request parameters, username)",
            "check ikey, skey and api_host of [radius_server_auto], and the user name",
        ),
    ],
)
def test_refusals(error, cause, remedy):
    """Each refusal of ours says which option to correct."""
    assert sentences.refusal(error, SECTION, IKEY) == sentences.Clauses(cause, remedy)


@pytest.mark.parametrize(
    ("said", "cause", "remedy"),
    [
        (
            sentences.server_trouble(ErrorAnswer(503)),
            "it has a fault of its own (HTTP 503)",
            "look at status.duo.com",
        ),
        (
            sentences.unexpected("the answer is no HTTP"),
            "the answer is no HTTP",
            "look at what stands between this machine and api_host",
        ),
        (
            sentences.no_connection("Connection refused", 443),
            "no connection (Connection refused)",
            "let this machine reach api_host at TCP port 443",
        ),
        (
            sentences.unknown_host(SECTION),
            "its name cannot be resolved",
            "check api_host of [radius_server_auto], and DNS on this machine",
        ),
        (
            sentences.connect_timeout(10.0, 443),
            "no connection within 10 s",
            "let this machine reach api_host at TCP port 443",
        ),
        (
            sentences.tls_failure("wrong version number"),
            "no TLS connection (wrong version number)",
            "it needs TLS 1.2 or newer and no gateway that changes it",
        ),
        (
            sentences.untrusted_certificate("CN=Gateway", "it has expired"),
            "its certificate is refused: it has expired (issuer: CN=Gateway)",
            "if a gateway opens TLS on the way, name its CA certificate in http_ca_certs_file",
        ),
        (
            sentences.proxy_refused("10.0.0.1:3128", "HTTP/1.1 403 Forbidden"),
            "the HTTP proxy 10.0.0.1:3128 opens no tunnel: HTTP/1.1 403 Forbidden",
            "allow CONNECT to api_host on the proxy",
        ),
        (
            sentences.proxy_unreachable("10.0.0.1:3128", "No route to host"),
            "no connection to the HTTP proxy 10.0.0.1:3128 (No route to host)",
            "check http_proxy_host and http_proxy_port",
        ),
        (sentences.answer_timeout(4.7382), "no answer within 4.74 s", ""),
        (sentences.connection_lost(), "the connection ended before the answer", ""),
        (sentences.answer_too_long(262144), "the answer is longer than 262144 octets", ""),
        (sentences.budget_spent(), "the 20 s for everything before the user is asked are used up", ""),
        (sentences.stopping(), "the proxy is being stopped", ""),
        (
            sentences.too_many_pending(10_000),
            "10000 logins wait for it already",
            "raise max_pending_logins, or look for who sends so many",
        ),
        (
            sentences.answer_lost(sentences.connection_lost()),
            "the user may have been asked, but the connection ended before the answer",
            "the user has to log in again",
        ),
    ],
)
def test_clauses(said, cause, remedy):
    """Each fact has its cause and, where there is one, its remedy."""
    assert said == sentences.Clauses(cause, remedy)


def test_certificate_in_the_log():
    """A certificate failure is an error of its own, which names host, issuer and option."""
    what = sentences.untrusted_certificate("CN=Gateway", "the certificate of its issuer is not known")
    assert sentences.certificate_log(sentences.service_name("api-1.example"), what, SECTION) == (
        "[radius_server_auto] Duo (api-1.example): its certificate is refused: the certificate of its issuer is not "
        "known (issuer: CN=Gateway). No login of this section can be asked of Duo; if a gateway opens TLS on the way, "
        "name its CA certificate in http_ca_certs_file."
    )


def test_certificate_of_somebody_else_in_the_log():
    """That names lead astray is told even though nobody's login fails for it."""
    what = sentences.untrusted_certificate("CN=Gateway", "the certificate of its issuer is not known")
    assert sentences.stray_certificate_log(sentences.service_name("api-1.example"), what, SECTION) == (
        "[radius_server_auto] Duo (api-1.example): its certificate is refused: the certificate of its issuer is not "
        "known (issuer: CN=Gateway). The next attempt reached the true service, and logins go on; look where DNS leads "
        "this machine, and who answers there."
    )


def test_clock_drift_in_the_log():
    """The log says how far the clock is off, in which direction, and what is done meanwhile."""
    assert sentences.clock_drift("Duo (api-1.example)", 312.4, SECTION) == (
        "[radius_server_auto] This machine's clock is 312 s behind the clock of Duo (api-1.example). Requests are "
        "signed with the service's time until it is right: timedatectl set-ntp true"
    )
    assert " 90 s ahead of the clock " in sentences.clock_drift("Duo", -90.0, SECTION)


def test_older_generation_in_the_log():
    """Which generation is spoken is no secret."""
    assert sentences.older_generation("Duo (api-1.example)", IKEY, SECTION) == (
        "[radius_server_auto] Duo (api-1.example): the application of DIWJ8X6AEYOR5OMC6TQ1 may not call /auth/v2; "
        "/rest/v1 is used for it"
    )
