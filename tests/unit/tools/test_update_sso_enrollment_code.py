"""authproxy_update_sso_enrollment_code: recognised, and not there."""

from __future__ import annotations

from click.testing import CliRunner

from duoproxy.tools.update_sso_enrollment_code import NOT_THERE, main


def test_it_says_what_it_was_and_uses_no_code() -> None:
    """A sentence about [sso], an exit status of its own, and the code nowhere in what is printed."""
    ended = CliRunner().invoke(main, ["very-secret-code"])
    assert ended.exit_code == NOT_THERE == 3
    assert "duoproxy has no [sso]" in ended.output
    assert "very-secret-code" not in ended.output


def test_without_a_code_it_is_wrong_usage() -> None:
    """As with the original."""
    assert CliRunner().invoke(main, []).exit_code == 2
