"""What stands in a folder that is closed to this account: a warning or a sentence, never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOBODY = 65_534
CONFIGURATION = """\
[main]
http_ca_certs_file=CLOSED/ca.pem
log_dir=CLOSED/log
[ad_client]
host=dc1.corp.example
service_account_username=svc
service_account_password=file:CLOSED/password
search_dn=DC=corp,DC=example
transport=starttls
ssl_ca_certs_file=CLOSED/ca.pem
[radius_server_eap]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=file:CLOSED/skey
api_host=api-12345678.duosecurity.com
certs=CLOSED/radius.pem
pkey=CLOSED/radius.key
radius_ip_1=10.0.0.1
radius_secret_1=0123456789abcdef
[ldap_server_auto]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=file:CLOSED/skey
api_host=api-12345678.duosecurity.com
ssl_key_path=CLOSED/ldap.key
ssl_cert_path=CLOSED/ldap.pem
port=10389
"""
# Root without its privileges may not look into folders of others, and still finds Python where that stands.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close a folder to the account of a test")
@pytest.mark.parametrize(
    ("module", "arguments"),
    [("authproxyctl", ["check", "{file}"]), ("support", ["--no-connectivity", "-o", "{closed}/x.zip", "-c", "{file}"])],
)
def test_files_in_a_closed_folder_are_told_of_and_nothing_breaks(
    tmp_path: Path, module: str, arguments: list[str]
) -> None:
    """An administrator who forgot sudo looks at a configuration whose keys stand where only root may look."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    file = tmp_path / "authproxy.cfg"
    file.write_text(CONFIGURATION.replace("CLOSED", str(closed)))
    file.chmod(0o600)
    os.chown(closed, NOBODY, -1)
    program = f"from duoproxy.tools.{module} import main; main()"
    words = [one.format(file=file, closed=closed) for one in arguments]
    done = subprocess.run(
        [*POWERLESS, sys.executable, "-c", program, *words],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stdout
    if module == "support":
        sentence = f"{closed}/x.zip cannot be written (Permission denied). Name another file with -o.\n"
        assert (done.returncode, done.stdout) == (1, sentence)
    else:
        assert done.returncode == 0, done.stdout
        unseen = re.findall(
            r"\[(\w+)\] (\w+): '[^']*' may not be read by this account and was not looked at", done.stdout
        )
        assert ("ad_client", "ssl_ca_certs_file") in unseen
        assert ("radius_server_eap", "pkey") in unseen
        assert ("ldap_server_auto", "ssl_key_path") in unseen
