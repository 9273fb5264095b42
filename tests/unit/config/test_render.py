"""What is written from declared options."""

from __future__ import annotations

import json
import re
from pathlib import Path

from duoproxy.config.ini import parse_ini
from duoproxy.config.render import completion, docs_page, masked, options_text, sample, shown_names
from tests.unit.config.small_catalogue import (
    CATALOGUE,
    DUO_ONLY_CLIENT,
    GOOD,
    RADIUS_CLIENT,
    RADIUS_SERVER_AUTO,
    lines_of,
    load,
)

SAMPLE = sample(CATALOGUE)


def test_unchanged_sample_says_that_no_server_section_is_active(tmp_path: Path) -> None:
    """It explains itself, and the check of it tells what is left to do."""
    assert lines_of(tmp_path, SAMPLE) == [
        "error: authproxy.cfg: no server section is active in this file, so that nothing would listen. "
        "Write one of: [radius_server_auto]."
    ]


def test_sample_has_every_option_of_every_section(tmp_path: Path) -> None:
    """With its help, default and unit; options that [main] describes are named at their sections."""
    for schema in (RADIUS_CLIENT, RADIUS_SERVER_AUTO):
        for option in schema.options:
            assert option.help in SAMPLE
            assert re.search(rf"^;{option.key()} =|may stand here too: .*\b{option.name}\b", SAMPLE, re.MULTILINE)
    assert (
        "# Pause between tries. Unit: seconds.\n# Optional, default: 2 – a number of seconds from 0.1 to 300\n"
        in SAMPLE
    )
    assert "# Server to ask.\n# Required – an IP address or a host name\n;host = 10.1.2.10\n" in SAMPLE


def test_sample_leaves_the_sandbox_out() -> None:
    """Nobody should start from a file that is not secure."""
    assert "sandbox" not in SAMPLE


def test_sample_shows_secrets_as_placeholders_that_are_refused(tmp_path: Path) -> None:
    """Activated as it stands, the sample starts nothing."""
    active = SAMPLE.replace("\n;", "\n")
    assert [(problem.split("] ")[1]) for problem in lines_of(tmp_path, active) if "placeholder" in problem] == [
        "secret: the value is still the placeholder of the sample file. Write the shared secret.",
        "skey: the value is still the placeholder of the sample file. Write the secret key.",
        "radius_secret_1: the value is still the placeholder of the sample file. Write the shared secret.",
    ]


def test_activated_sample_with_secrets_has_values_that_are_read(tmp_path: Path) -> None:
    """Defaults and examples are written as they can stand in a file."""
    (tmp_path / "ca.pem").write_text("x")
    active = SAMPLE.replace("\n;", "\n").replace("REPLACE_THIS", "0123456789").replace("dictionary_file =\n", "")
    assert parse_ini(active, "a.cfg").problems == ()
    assert lines_of(tmp_path, active) == []


def test_terminal_text_describes_each_option() -> None:
    """Name with the pattern of its numbers, need, what may be written, help."""
    text = options_text(RADIUS_CLIENT)
    assert text.startswith("[radius_client]\n  Another RADIUS server checks the password.\n\n")
    assert "  port, port_2 …  (optional, default: 1812)\n      A port from 1 to 65535.\n      Its port.\n" in text
    assert "  host, host_2 …  (required)\n      An IP address or a host name. Example: 10.1.2.10\n" in text
    assert next(shown_names(option) for option in RADIUS_SERVER_AUTO.options if option.is_numbered) == (
        "radius_ip_1, radius_ip_2 …"
    )


def test_docs_page_has_a_table_and_a_paragraph_for_each_option() -> None:
    """The reference page of a section is generated."""
    page = docs_page(RADIUS_SERVER_AUTO)
    assert page.startswith(
        "# [radius_server_auto]\n\nRADIUS for VPNs.\n\nChoose the factor with `factors`.\n\n| Option |"
    )
    assert "| `ikey` | **required** | text |\n" in page
    assert "| `port` | `1812` | a port from 1 to 65535 |\n" in page
    assert "| `exempt_username_1, exempt_username_2 …` | none | text |\n" in page
    assert "## failmode\n\nWhen Duo is away.\n\n" in page
    assert "## api_host\n\nAPI host name.\n\nExample: `api_host = api-XXXXXXXX.duosecurity.com`\n\n" in page
    assert "Before a factor. Since version 0.2." in page
    assert page.count("\n## ") == len(RADIUS_SERVER_AUTO.options)


def test_completion_can_be_written_as_json() -> None:
    """For editors: names, values, help."""
    described = json.loads(json.dumps(completion(RADIUS_SERVER_AUTO)))
    failmode = next(option for option in described["options"] if option["name"] == "failmode")
    assert (described["section"], described["role"]) == ("radius_server_auto", "server")
    assert failmode["values"] == ["safe", "secure"]
    assert (failmode["default"], failmode["restricts"], failmode["secret"]) == ("safe", True, False)


def test_masked_settings_show_no_secret(tmp_path: Path) -> None:
    """For logs and support files."""
    configuration = load(tmp_path, GOOD)
    server = masked(configuration.servers[0], RADIUS_SERVER_AUTO)
    assert server["skey"] == server["radius_secret_1"] == "*****"
    assert (server["radius_ip_1"], server["factors"], server["client"]) == ("10.0.0.0/8", "auto", "")
    client = masked(configuration.clients[0], RADIUS_CLIENT)
    assert (client["host"], client["port"], client["secret"]) == ("10.1.2.10", "1812", "*****")


def test_section_without_options_of_its_own_can_be_described() -> None:
    """Such as [duo_only_client]."""
    assert docs_page(DUO_ONLY_CLIENT).startswith("# [duo_only_client]\n\nChecks no password.")
