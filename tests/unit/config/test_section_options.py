"""What the entries of one section are read as."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.secret import Secret
from tests.unit.config.small_catalogue import GOOD, GOOD_CLIENT, GOOD_SERVER, lines_of, load


def test_numbered_options_become_mappings(tmp_path: Path) -> None:
    """host, host_2 …: keys are the numbers, the bare one is 1; ports and secrets have a value for each host."""
    text = GOOD_SERVER + "[radius_client]\nhost=a.example\nhost_2=10.0.0.2\nsecret=one\nsecret_2=two\nport_2=1645\n"
    settings = load(tmp_path, text).clients[0].settings
    assert dict(settings.host) == {1: "a.example", 2: "10.0.0.2"}
    assert dict(settings.secret) == {1: Secret("one"), 2: Secret("two")}
    assert dict(settings.port) == {1: 1812, 2: 1645}


def test_value_of_main_is_inherited_unless_the_section_has_its_own(tmp_path: Path) -> None:
    """[main] holds for every section that knows the option."""
    text = "[main]\ndebug=true\ninterface=10.1.1.1\nretries=7\n" + GOOD_CLIENT + "debug=false\n" + GOOD_SERVER
    configuration = load(tmp_path, text)
    assert configuration.main.debug is True
    assert configuration.servers[0].settings.debug is True
    assert configuration.servers[0].settings.interface == "10.1.1.1"
    assert configuration.clients[0].settings.debug is False
    assert configuration.clients[0].settings.retries == 7


def test_wrong_value_of_main_is_told_once(tmp_path: Path) -> None:
    """Although every section reads it."""
    assert lines_of(tmp_path, "[main]\ndebug=maybe\n" + GOOD) == [
        "error: authproxy.cfg:2 [main] debug: 'maybe' is neither true nor false. Write true or false."
    ]


def test_option_of_main_that_no_section_has_is_a_warning(tmp_path: Path) -> None:
    """It has no effect in this file."""
    text = "[main]\nretries=5\n[duo_only_client]\n" + GOOD_SERVER
    assert lines_of(tmp_path, text) == [
        "warning: authproxy.cfg:2 [main] retries: no section of this file has this option, so that it has no effect. "
        "Delete the line."
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "failmod = secure",
            "error: authproxy.cfg:7 [radius_server_auto] failmod: the option is unknown, and near to failmode, "
            "which decides who gets in. Write failmode, or delete the line.",
        ),
        (
            "fail mode = secure",
            "error: authproxy.cfg:7 [radius_server_auto] fail mode: the option is unknown, and near to failmode, "
            "which decides who gets in. Write failmode, or delete the line.",
        ),
        (
            "exempt_username = bob",
            "error: authproxy.cfg:7 [radius_server_auto] exempt_username: the option is unknown, and near to "
            "exempt_username_1, which decides who gets in. Write exempt_username_1, or delete the line.",
        ),
        (
            "exemt_username_12 = bob",
            "error: authproxy.cfg:7 [radius_server_auto] exemt_username_12: the option is unknown, and near to "
            "exempt_username_12, which decides who gets in. Write exempt_username_12, or delete the line.",
        ),
        (
            "prot = 1812",
            "warning: authproxy.cfg:7 [radius_server_auto] prot: the option is unknown and ignored. Did you mean port?",
        ),
        (
            "retry_wait = 3",
            "warning: authproxy.cfg:7 [radius_server_auto] retry_wait: the option is unknown and ignored. "
            "It is an option of [radius_client].",
        ),
        (
            "colour = red",
            "warning: authproxy.cfg:7 [radius_server_auto] colour: the option is unknown and ignored. "
            "See authproxyctl options radius_server_auto, or delete the line.",
        ),
        (
            "port = 1645 ; old port",
            "warning: authproxy.cfg:7 [radius_server_auto] port: a comment stands behind the value and is ignored. "
            "Put comments on lines of their own.",
        ),
        (
            "port =",
            "error: authproxy.cfg:7 [radius_server_auto] port: there is nothing right of the =. "
            "Write a port from 1 to 65535, or delete the line.",
        ),
        (
            "port = ; none",
            "error: authproxy.cfg:7 [radius_server_auto] port: there is nothing right of the =. "
            "Write a port from 1 to 65535, or delete the line.",
        ),
        (
            "port = x",
            "error: authproxy.cfg:7 [radius_server_auto] port: 'x' is not a whole number. "
            "Write a port from 1 to 65535, such as 1812.",
        ),
        (
            "force_message_authenticator = maybe",
            "error: authproxy.cfg:7 [radius_server_auto] force_message_authenticator: 'maybe' is not one of the "
            "choices. Write true or false.",
        ),
    ],
)
def test_line_that_means_nothing_has_a_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    """Unknown: warning with did-you-mean; error when near an option that restricts who gets in."""
    told = lines_of(tmp_path, GOOD_SERVER + line + "\n" + GOOD_CLIENT)
    assert sentence in told
    assert len([one for one in told if one.startswith("error")]) == sentence.startswith("error")


def test_near_miss_in_main_of_an_option_that_sections_inherit_is_an_error(tmp_path: Path) -> None:
    """`failmod=secure` in [main] must not start fail-open either."""
    assert lines_of(tmp_path, "[main]\nfailmod=secure\n" + GOOD) == [
        "error: authproxy.cfg:2 [main] failmod: the option is unknown, and near to failmode, which decides who gets "
        "in. Write failmode, or delete the line."
    ]


def test_value_made_on_windows_cannot_be_read(tmp_path: Path) -> None:
    """The error names option, line, and the command that makes one here; the option does not count as missing too."""
    text = GOOD.replace("skey =", "skey_protected =").replace("radius_secret_1 =", "radius_secret_protected_1 =")
    what = "the value is encrypted by the Windows machine that made it and cannot be read here."
    remedy = "Make one here with authproxy_passwd, and write it in its place."
    assert lines_of(tmp_path, text) == [
        f"error: authproxy.cfg:3 [radius_server_auto] skey_protected: {what} {remedy}",
        f"error: authproxy.cfg:6 [radius_server_auto] radius_secret_protected_1: {what} {remedy}",
    ]


@pytest.mark.parametrize(("text", "meant"), [("true", "yes"), ("False", "auto")])
def test_force_message_authenticator_is_read_under_its_new_name(tmp_path: Path, text: str, meant: str) -> None:
    """force_message_authenticator is require_message_authenticator = yes."""
    configuration = load(tmp_path, GOOD_SERVER + f"force_message_authenticator = {text}\n" + GOOD_CLIENT)
    assert configuration.servers[0].settings.require_message_authenticator == meant


def test_old_and_new_name_together_are_a_duplicate(tmp_path: Path) -> None:
    """One of the two would be ignored silently."""
    text = GOOD_SERVER + "force_message_authenticator=true\nrequire_message_authenticator=no\n" + GOOD_CLIENT
    assert lines_of(tmp_path, text) == [
        "error: authproxy.cfg:8 [radius_server_auto] require_message_authenticator: the same option stands in line 7 "
        "as force_message_authenticator. Delete one of the two lines."
    ]


def test_option_of_the_original_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    """fips_mode = true has a sentence of its own."""
    assert lines_of(tmp_path, "[main]\nfips_mode=true\n" + GOOD) == [
        "error: authproxy.cfg:2 [main] fips_mode: RADIUS needs MD5. Write fips_mode = false."
    ]


def test_attribute_names_come_from_the_dictionary_of_main(tmp_path: Path) -> None:
    """dictionary_file is read before the options that need it, wherever it stands."""
    (tmp_path / "acme").write_text("Acme-User 240\n")
    text = GOOD_SERVER + "client_ip_attr = acme-user\n" + GOOD_CLIENT + "[main]\ndictionary_file = acme\n"
    configuration = load(tmp_path, text)
    assert configuration.servers[0].settings.client_ip_attr.number == 240
    assert configuration.dictionary.find("Acme-User") is not None


def test_faulty_dictionary_is_told_with_its_line(tmp_path: Path) -> None:
    """The option, and the place in the dictionary file."""
    (tmp_path / "acme").write_text("Acme-User\n")
    assert lines_of(tmp_path, "[main]\ndictionary_file = acme\n" + GOOD) == [
        "error: authproxy.cfg:2 [main] dictionary_file: the dictionary cannot be used: acme:1: the number is missing. "
        "Mend the file, or delete the option."
    ]


def test_relative_default_path_starts_at_the_folder_of_the_file(tmp_path: Path) -> None:
    """A default is meant as if it stood in the file."""
    configuration = load(tmp_path, GOOD + "[sandbox_duo]\n")
    assert configuration.servers[1].settings.ca_output == tmp_path / "sandbox-ca.pem"
