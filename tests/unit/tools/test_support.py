"""authproxy_support: what is in the zip, and above all what is not.

Markers stand for secrets wherever one can be: every secret option, files, environment, credentials, keys, protected
values, and the logs in every spelling. None of them may be found in the zip.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from duoproxy.config.option import Numbering
from duoproxy.config.protected import ProtectionKey, protect
from duoproxy.config.schema import Role
from duoproxy.secret import Secret
from duoproxy.sections.registry import load_registry
from duoproxy.tools.support import main
from tests.unit.tools.leaks import leaks

CATALOGUE = load_registry(()).catalogue
KEY = ProtectionKey(bytes(range(32)))


# Nothing leads to them, so they are not taken out of logs; they must not be in anything else.
UNKNOWN_TO_THE_TOOL = ("a comment", "a line that is none", "a private key", "somebody's environment")


class Markers:
    """Gives secrets that can be told from everything else, and remembers them."""

    def __init__(self) -> None:
        self.given: dict[str, bytes] = {}

    def __call__(self, where: str) -> str:
        name = where.replace(" ", "_")[:12]
        text = f"MARK-{len(self.given):03d}-{name}-q7Zk/x+w_{len(self.given) * 7919:05d}"
        self.given[where] = text.encode()
        return text


def every_secret_option(marker: Markers) -> Iterator[str]:
    """A section of each kind with a marker in each option that is a secret, twice where it is numbered."""
    for schema in CATALOGUE.schemas.values():
        if schema.role is Role.MAIN:
            continue
        yield f"[{schema.name}]"
        for option in schema.options:
            if option.kind.secret:
                numbers = (1, 2) if option.numbered is not Numbering.NONE else (1,)
                yield from (f"{option.key(n)} = {marker(schema.name + '.' + option.key(n))}" for n in numbers)


def every_other_place(marker: Markers, folder: Path) -> Iterator[str]:
    """References, protected values, slips of the pen, sections of Duo's own proxy."""
    (folder / "password.txt").write_text(marker("a file") + "\n")
    (folder / "credentials").mkdir()
    (folder / "credentials" / "radius").write_text(marker("a credential"))
    (folder / "credentials" / "duoauthproxy-protection-key").write_text(KEY.line())
    marker.given["the protection key"] = KEY.octets
    marker.given["the protection key as it is written"] = KEY.line().partition(":")[2].encode()
    sealed = protect(Secret(marker("a protected value")), KEY, bytes(12))
    yield "[ad_client2]"
    yield "service_account_password = file:password.txt"
    yield "[radius_client2]"
    yield "secret = env:RADIUS_MARKER"
    yield "secret_2 = credential:radius"
    yield f"secret_protected_3 = {sealed}"
    yield f"secert_4 = {marker('a slip of the pen')}"
    yield f"; secret_5 = {marker('a comment')}"
    yield "[cloud]"
    yield f"skey = {marker('cloud.skey')}"
    yield f"no option {marker('a line that is none')}"
    yield "[radius_server_eap2]"
    yield "pkey = radius.key"
    key_line = base64.b64encode(marker("a private key").encode() + bytes(9)).decode()
    marker.given["a line of a private key"] = key_line.encode()
    (folder / "radius.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{key_line}\n-----END PRIVATE KEY-----\n")


def every_line_of_a_log(marker: Markers, known: Mapping[str, bytes]) -> Iterator[str]:
    """Known secrets in every spelling, and unknown ones where other programs write them."""
    for secret in known.values():
        text = secret.decode("latin-1")
        yield f"plain <{text}>"
        yield f"hex {secret.hex()} {secret.hex().upper()} {secret.hex(':')}"
        yield f"url ?a={quote(secret)}&b={quote(secret, safe='')} {''.join(f'%{octet:02x}' for octet in secret)}"
        yield from (f"base64 {base64.b64encode(b'x' * before + secret + b'y').decode()}" for before in range(3))
        yield f"base64 {base64.urlsafe_b64encode(secret).decode()}"
        yield f"json {json.dumps({'x': text})} {text!r}"
    yield f"url https://svc:{marker('a URL')}@dc1.example.test/"
    yield f"form user=alice&password={marker('a form')}&factor=push"
    yield f"form, encoded passcode={quote(marker('an encoded form'), safe='')}"
    yield json.dumps({"user": "alice", "password": marker("JSON")})
    yield repr({"user": "alice", "User-Password": marker("a dict")})
    yield f"Authorization: Basic {base64.b64encode(('alice:' + marker('a header')).encode()).decode()}"
    yield f"-----BEGIN RSA PRIVATE KEY-----\n{marker('a key in a log')}\n-----END RSA PRIVATE KEY-----"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("conf", "log", "out"):
        (tmp_path / name).mkdir()
    return tmp_path


def run(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Result:
    options = ["-c", str(folder / "conf" / "authproxy.cfg"), "--no-connectivity", "-o", str(folder / "out"), *arguments]
    return CliRunner().invoke(main, options, env=environment)


def contents(folder: Path) -> dict[str, bytes]:
    [file] = (folder / "out").iterdir()
    with zipfile.ZipFile(file) as archive:
        return {name.removeprefix("duoauthproxy-support/"): archive.read(name) for name in archive.namelist()}


def test_no_secret_is_in_the_zip(folder: Path) -> None:
    """Wherever it was, and however it is spelled."""
    marker = Markers()
    conf = folder / "conf"
    lines = [*every_secret_option(marker), *every_other_place(marker, conf)]
    environment = {
        "CREDENTIALS_DIRECTORY": str(conf / "credentials"),
        "RADIUS_MARKER": marker("the environment"),
        "OTHER_MARKER": marker("somebody's environment"),
    }
    (conf / "authproxy.cfg").write_text("\n".join(["[main]", "debug=true", *lines]) + "\n")
    told = {
        where: secret for where, secret in marker.given.items() if where not in ("a comment", "a line that is none")
    }
    told = {where: secret for where, secret in told.items() if where not in ("a private key", "somebody's environment")}
    for name in ("authproxy.log", "authproxy.log.1", "authevents.log", "connectivity_tool.log"):
        (folder / "log" / name).write_text("\n".join(every_line_of_a_log(marker, told)) + "\n", "latin-1")
    result = run(folder, environment=environment)
    assert result.exit_code == 0, result.output
    assert len(marker.given) > 30
    found = contents(folder)
    assert {"log/authproxy.log", "log/authproxy.log.1", "log/authevents.log"} <= set(found)
    found["the output"] = result.output.encode()
    leaked = [
        (name, where, leaks(octets, one)) for name, octets in found.items() for where, one in marker.given.items()
    ]
    assert [leak for leak in leaked if leak[2]] == []
    assert b"MARK-" not in b"".join(found.values())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks at configurations of others")
def test_variables_that_are_not_given_to_the_configuration_are_taken_out_all_the_same(folder: Path) -> None:
    """Nothing is sent anywhere here; the logs may hold what the service took."""
    file = folder / "conf" / "authproxy.cfg"
    file.write_text("[radius_client]\nhost=10.1.2.10\nsecret=env:RADIUS_MARKER\n")
    os.chown(file, 54_321, -1)
    (folder / "log" / "authproxy.log").write_text("it was <MARK-of-the-shell>\n")
    assert run(folder, environment={"RADIUS_MARKER": "MARK-of-the-shell"}).exit_code == 0
    assert b"MARK-of" not in b"".join(contents(folder).values())


CLEAR = """\
[main]
log_dir=elsewhere
[radius_client]
host=10.1.2.10
secret=hunter2hunter2
[radius_server_auto]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1234.duosecurity.com
radius_ip_1=10.1.2.1
radius_secret_1=file:nowhere.txt
"""


@pytest.fixture
def installed(folder: Path) -> Path:
    file = folder / "conf" / "authproxy.cfg"
    file.touch(mode=0o600)
    file.write_text(CLEAR.replace("log_dir=elsewhere", f"log_dir={folder / 'log'}"))
    return folder


def test_the_zip_is_for_who_made_it_and_named_after_the_moment(installed: Path) -> None:
    """Mode 0600, in the folder that was named."""
    result = run(installed)
    [file] = (installed / "out").iterdir()
    assert re.fullmatch(r"duoauthproxy-support-\d{8}-\d{6}\.zip", file.name)
    assert file.stat().st_mode & 0o777 == 0o600
    assert result.output.splitlines()[0] == (
        f"{file} was written, with README.txt, configuration.txt, status.json, service.txt, system.txt, versions.txt."
    )


def test_what_was_written_as_json(installed: Path) -> None:
    """The file and what is in it; or why there is none."""
    result = run(installed, "--json")
    [file] = (installed / "out").iterdir()
    assert json.loads(result.stdout) == {
        "file": str(file),
        "holds": ["README.txt", "configuration.txt", "status.json", "service.txt", "system.txt", "versions.txt"],
    }
    again = run(installed, "--json", "-o", str(file))
    assert (again.exit_code, again.stderr) == (1, "")
    assert json.loads(again.stdout) == {
        "problem": f"{file} cannot be written (File exists). Name another file with -o."
    }


def test_the_configuration_is_shown_with_its_problems(installed: Path) -> None:
    """As it is read, masked; comments are left out."""
    run(installed)
    text = contents(installed)["configuration.txt"].decode()
    assert "[radius_server_auto] radius_secret_1: " in text.splitlines()[0]
    assert "nowhere.txt' cannot be read" in text.splitlines()[0]
    assert text.partition("[radius_client]\n")[2] == (
        "host=10.1.2.10\nsecret=*****\n\n"
        "[radius_server_auto]\napi_host=api-1234.duosecurity.com\nikey=DIXXXXXXXXXXXXXXXXXX\nradius_ip_1=10.1.2.1\n"
        "radius_secret_1=*****\nskey=*****[40]\n"
    )


def test_versions_and_facts_of_the_machine_are_in_it(installed: Path) -> None:
    """Of what runs, and on what."""
    run(installed)
    found = {name: octets.decode() for name, octets in contents(installed).items()}
    assert re.search(r"^Twisted \d", found["versions.txt"], re.MULTILINE | re.IGNORECASE)
    assert "openssl of cryptography: OpenSSL" in found["versions.txt"]
    assert "== uname\nLinux" in found["system.txt"]
    assert "== memory\nMemTotal" in found["system.txt"]
    assert found["service.txt"] == "The service does not run, or cannot be found.\n"
    assert "not running" in json.loads(found["status.json"])["answer"]


def test_the_end_of_a_long_log_is_taken_at_a_line(installed: Path) -> None:
    """Half a line could hold half a secret."""
    line = b"2026-11-21T08:00:00+0000 [duoproxy#info] something happened here\n"
    (installed / "log" / "authproxy.log").write_bytes(b"x hunter2hunter2 " * 10 + line * 100_000)
    run(installed)
    log = contents(installed)["log/authproxy.log"]
    head, _, rest = log.partition(b"\n")
    assert re.fullmatch(rb"\[\xe2\x80\xa6 \d+ octets before this are left out\]", head)
    assert len(rest) <= 4 * 1024 * 1024
    assert rest.startswith(line)
    assert rest.endswith(line)


def test_only_plain_files_of_the_log_folder_are_read(installed: Path) -> None:
    """Its owner, who is not root, must not get a file of root's into the zip."""
    secret = installed / "shadow"
    secret.write_text("root:$6$hash")
    log = installed / "log"
    (log / "authproxy.log").symlink_to(secret)
    os.link(secret, log / "authproxy.log.1")
    os.mkfifo(log / "authevents.log")
    (log / "authproxy.log.2").mkdir()
    (log / "other.txt").write_text("not ours")
    run(installed)
    found = contents(installed)
    assert [name for name in found if name.startswith("log/")] == []
    assert b"$6$hash" not in b"".join(found.values())


def test_a_file_that_is_there_is_not_written_over(installed: Path) -> None:
    """Nor is a link followed."""
    for number, target in enumerate((installed / "there", installed / "link")):
        if number:
            target.symlink_to(installed / "victim")
        else:
            target.write_text("untouched")
        result = run(installed, "-o", str(target))
        assert (result.exit_code, result.output) == (
            1,
            f"{target} cannot be written (File exists). Name another file with -o.\n",
        )
    assert (installed / "there").read_text() == "untouched"
    assert not (installed / "victim").exists()


def test_without_a_configuration_there_is_a_zip_all_the_same(installed: Path) -> None:
    """When everything is broken, help is needed most."""
    (installed / "conf" / "authproxy.cfg").unlink()
    assert run(installed).exit_code == 0
    assert b"the file cannot be read" in contents(installed)["configuration.txt"]
