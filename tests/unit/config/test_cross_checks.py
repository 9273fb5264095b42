"""What several sections say together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.small_catalogue import GOOD, GOOD_CLIENT, GOOD_SERVER, lines_of, load

SECOND_SERVER = GOOD_SERVER.replace("auto]", "auto2]")


def test_only_client_section_is_taken(tmp_path: Path) -> None:
    """`client` is optional when only one client section exists."""
    assert load(tmp_path, GOOD).servers[0].client == "radius_client"


def test_named_client_section_is_taken(tmp_path: Path) -> None:
    """A server section names its primary authenticator."""
    text = GOOD_SERVER + "client = Duo_Only_Client\n" + GOOD_CLIENT + "[duo_only_client]\n"
    assert load(tmp_path, text).servers[0].client == "duo_only_client"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            GOOD + "[duo_only_client]\n",
            "error: authproxy.cfg:1 [radius_server_auto] client: there are several client sections and none is chosen. "
            "Write client = one of: radius_client, duo_only_client.",
        ),
        (
            GOOD_SERVER,
            "error: authproxy.cfg:1 [radius_server_auto] client: there is no client section to check passwords. "
            "Add the section that checks passwords: [ad_client] or [radius_client], or [duo_only_client] where the "
            "device has checked them.",
        ),
        (
            GOOD_SERVER + "client = radius_client2\n" + GOOD_CLIENT,
            "error: authproxy.cfg:7 [radius_server_auto] client: 'radius_client2' is not a client section of "
            "this file. Write one of: radius_client.",
        ),
    ],
)
def test_server_without_client_section_is_an_error(tmp_path: Path, text: str, sentence: str) -> None:
    """None or several: an error that lists them."""
    assert lines_of(tmp_path, text) == [sentence]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        ("interface=10.0.0.1\n", ""),
        ("interface=10.0.0.1\n", "interface=10.0.0.1\n"),
        ("interface=10.0.0.1\n", "interface=0.0.0.0\n"),
        ("interface=10.0.0.1\n", "interface=::\n"),
        ("interface=::1\n", "interface=::\n"),
        ("port=1645\n", "port=1645\n"),
    ],
)
def test_two_sections_on_one_address_and_port_are_an_error(tmp_path: Path, first: str, second: str) -> None:
    """Every server section needs its own port or interface; nothing, 0.0.0.0 and :: mean all."""
    told = lines_of(tmp_path, GOOD_SERVER + first + SECOND_SERVER + second + GOOD_CLIENT)
    assert len(told) == 1
    assert " [radius_server_auto2] port: UDP port " in told[0]
    assert told[0].endswith(
        "is taken by [radius_server_auto] already. Give each of the two a port or an interface of its own."
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "port=1645\n"),
        ("interface=10.0.0.1\n", "interface=10.0.0.2\n"),
        ("interface=0.0.0.0\n", "interface=::1\n"),
        ("interface=10.0.0.1\n", "interface=::1\n"),
    ],
)
def test_sections_on_different_places_may_stand_together(tmp_path: Path, first: str, second: str) -> None:
    """Another port, or another address."""
    assert lines_of(tmp_path, GOOD_SERVER + first + SECOND_SERVER + second + GOOD_CLIENT) == []


def client_that_asks(host: str, port: int = 1812, number: str = "") -> str:
    """A [radius_client] section."""
    return f"[radius_client{number}]\nhost = {host}\nsecret = upstream secret\nport = {port}\n"


@pytest.mark.parametrize(
    ("host", "interface"),
    [
        ("127.0.0.1", ""),
        ("127.0.0.1", "interface=0.0.0.0\n"),
        ("127.0.0.1", "interface=127.0.0.1\n"),
        ("localhost", ""),
        ("localhost", "interface=::1\n"),
        ("::1", "interface=::\n"),
        ("10.1.2.3", "interface=10.1.2.3\n"),
    ],
)
def test_section_that_would_ask_itself_is_an_error(tmp_path: Path, host: str, interface: str) -> None:
    """One login would begin hundreds, and no packet says that it is the same."""
    [told] = lines_of(tmp_path, GOOD_SERVER + interface + client_that_asks(host))
    assert told.endswith(
        " [radius_client] host: a login of [radius_server_auto] comes back to it by way of [radius_client]: each would "
        "begin another one. Name the server that knows the passwords, and its port."
    )


def test_sections_that_ask_each_other_are_an_error(tmp_path: Path) -> None:
    """A circle of two is one, too; both ends of it are told."""
    first = GOOD_SERVER + "client=radius_client\n" + client_that_asks("127.0.0.1", 1645)
    second = SECOND_SERVER + "client=radius_client2\nport=1645\n" + client_that_asks("127.0.0.1", 1812, "2")
    told = lines_of(tmp_path, first + second)
    assert [line.split(": ")[2] for line in told] == [
        "a login of [radius_server_auto] comes back to it by way of [radius_client]",
        "a login of [radius_server_auto2] comes back to it by way of [radius_client2]",
    ]


@pytest.mark.parametrize(
    ("host", "port", "interface"),
    [("127.0.0.1", 1645, ""), ("10.1.2.3", 1812, ""), ("127.0.0.1", 1812, "interface=10.1.2.3\n")],
)
def test_section_that_asks_another_server_is_none(tmp_path: Path, host: str, port: int, interface: str) -> None:
    """Another port, another machine, or another address of this one."""
    assert lines_of(tmp_path, GOOD_SERVER + interface + client_that_asks(host, port)) == []


def test_sections_in_a_row_are_no_circle(tmp_path: Path) -> None:
    """One section may ask another one of this file, which asks somebody else."""
    first = GOOD_SERVER + "client=radius_client\n" + client_that_asks("127.0.0.1", 1645)
    second = SECOND_SERVER + "client=radius_client2\nport=1645\n" + client_that_asks("10.1.2.3", 1812, "2")
    assert lines_of(tmp_path, first + second) == []


def test_sandbox_puts_every_listener_on_loopback(tmp_path: Path) -> None:
    """A file with a sandbox section is not secure: the default interface becomes 127.0.0.1."""
    configuration = load(tmp_path, GOOD + "[sandbox_duo]\n")
    assert [server.settings.interface for server in configuration.servers] == ["127.0.0.1", "127.0.0.1"]
    assert load(tmp_path, GOOD).servers[0].settings.interface == ""


@pytest.mark.parametrize("interface", ["127.0.0.1", "127.1.2.3", "::1"])
def test_any_loopback_address_will_do_for_the_sandbox(tmp_path: Path, interface: str) -> None:
    """Loopback is more than one address."""
    configuration = load(tmp_path, f"[main]\ninterface={interface}\n" + GOOD + "[sandbox_duo]\n")
    assert [server.settings.interface for server in configuration.servers] == [interface, interface]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (GOOD_SERVER + "interface = 10.1.2.3\n" + GOOD_CLIENT + "[sandbox_duo]\n", "7 [radius_server_auto]"),
        (GOOD_SERVER + "interface = 0.0.0.0\n" + GOOD_CLIENT + "[sandbox_duo]\n", "7 [radius_server_auto]"),
        ("[main]\ninterface = ::\n" + GOOD + "[sandbox_duo]\ninterface=::1\n", "2 [main]"),
    ],
)
def test_other_interface_beside_the_sandbox_is_an_error(tmp_path: Path, text: str, place: str) -> None:
    """Nobody else may reach it."""
    assert lines_of(tmp_path, text) == [
        f"error: authproxy.cfg:{place} interface: a file with [sandbox_duo] is not secure and may listen on loopback "
        "only. Write interface = 127.0.0.1, or delete [sandbox_duo]."
    ]
