"""The layout of an installation: where the configuration file is says where everything else is."""

from pathlib import Path

from duoproxy.service.places import Places, default_configuration, installed_base


def test_everything_stands_beside_the_folder_of_the_configuration_file() -> None:
    """Logs, run-time files and sockets are found from the configuration file alone."""
    places = Places(Path("/srv/duo/conf/authproxy.cfg"))
    assert places.base == Path("/srv/duo")
    assert places.log_folder == Path("/srv/duo/log")
    assert places.pid_file == Path("/srv/duo/run/duoauthproxy.pid")
    assert places.control_socket == Path("/srv/duo/run/duoauthproxy.sock")
    assert places.primary_only_file == Path("/srv/duo/run/primary_only.json")
    assert places.protection_key_file == Path("/srv/duo/conf/protection.key")


def test_an_installed_environment_belongs_to_the_folder_above_usr_local(tmp_path: Path) -> None:
    """With --install-dir elsewhere, the tools there read the configuration there."""
    (tmp_path / "conf").mkdir()
    environment = tmp_path / "usr" / "local"
    assert installed_base(environment) == tmp_path
    assert default_configuration(environment) == tmp_path / "conf" / "authproxy.cfg"


def test_any_other_environment_reads_the_documented_place(tmp_path: Path) -> None:
    """A virtual environment of a developer, or the system's own in /usr/local, belongs to no installation."""
    assert default_configuration(tmp_path / ".venv") == Path("/opt/duoauthproxy/conf/authproxy.cfg")
    assert installed_base(tmp_path / "usr" / "local") == Path("/opt/duoauthproxy")
