"""authproxy_passwd: encrypts secrets for the configuration file (`skey_protected = v1:…`).

Exit codes: 0 done, 1 it cannot be done (or was not wanted), 2 wrong usage. Reference: §3, `_protected`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from attrs import frozen

from duoproxy.config.file_kinds import MAX_SECRET_BYTES
from duoproxy.config.protected import NONCE_BYTES, ProtectionFault, ProtectionKey, protect
from duoproxy.secret import Secret
from duoproxy.service.places import Places
from duoproxy.tools.command_line import (
    HELP,
    Tool,
    counted,
    give_up,
    installed_catalogue,
    takes_configuration,
    takes_json,
)
from duoproxy.tools.file_checks import service_account
from duoproxy.tools.protect_file import (
    Contents,
    ProtectFileFault,
    protected_octets,
    read_contents,
    replace_file,
    rotated_octets,
)
from duoproxy.tools.protection_keys import KeyRing, credential_folders, find_keys, new_key, write_keys

_IN_HISTORY: Final = (
    "The secret stands in the history of your shell now, and stood in the list of processes: take it out there, or run "
    "authproxy_passwd without an argument."
)


@click.command(
    cls=Tool,
    context_settings=HELP,
    epilog="Exit codes: 0 done, 1 it cannot be done or was not wanted, 2 wrong usage.",
)
@click.argument("secret", required=False)
@click.option("--whole-config", is_flag=True, help="Encrypt every clear secret in the configuration file, in place.")
@click.option("--rotate-key", is_flag=True, help="Make a new key, and every protected value of the file anew with it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the file is changed.")
@takes_configuration
@takes_json
def main(
    secret: str | None, whole_config: bool, rotate_key: bool, yes: bool, configuration: Path, as_json: bool
) -> None:
    """Encrypt a secret for the configuration file.

    Without SECRET it is asked for, twice, or read from standard input. What is printed goes behind the `_protected`
    twin of an option: skey_protected, service_account_password_protected, secret_protected, radius_secret_protected_1.

    \b
    This protects a configuration file that is copied, shown, sent to support or
    saved WITHOUT its key. It does not protect from root or from the account of
    the service: who can read the key can read the secrets. The key is the file
    protection.key beside the configuration, made on first use, or the systemd
    credential duoauthproxy-protection-key. Without it the values are lost.

    \b
    Examples:
      authproxy_passwd                      asks, and prints one value
      authproxy_passwd --whole-config       encrypts all clear secrets of the file
      authproxy_passwd --whole-config -y    the same without a question
      authproxy_passwd --rotate-key         after the key file was seen by others
      authproxy_passwd --json < secret | jq -r .protected
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    if sum([secret is not None, whole_config, rotate_key]) > 1:
        raise click.UsageError("SECRET, --whole-config and --rotate-key exclude each other.")
    if as_json and not yes and (whole_config or rotate_key):
        raise click.UsageError("With --json nobody is asked: add --yes, so that the file may be changed.")
    keys = _Keys(configuration, os.environ)
    try:
        if whole_config:
            _protect_file(configuration, keys, yes, as_json)
        elif rotate_key:
            _rotate(configuration, keys, yes, as_json)
        else:
            _protect_one(secret, keys, as_json)
    except (ProtectionFault, ProtectFileFault) as fault:
        give_up(str(fault)[:1].upper() + str(fault)[1:])
    except OSError as fault:
        if fault.filename is None:
            raise  # it is the output
        if isinstance(fault, FileNotFoundError):
            give_up(f"There is no {fault.filename}. Name the configuration that is meant with -c FILE.")
        give_up(f"{fault.filename} cannot be written ({fault.strerror}). Run the tool as root.")


@frozen
class _Keys:
    """The keys of an installation."""

    path: Path
    environ: Mapping[str, str]

    @property
    def file(self) -> Path:
        return Places(self.path).protection_key_file

    def find(self) -> KeyRing | None:
        return find_keys(self.file, credential_folders(self.environ))

    def need(self) -> ProtectionKey:
        """Give the key for new values; the first time it is made."""
        ring = self.find()
        if ring is not None:
            return ring.keys[0]
        key = new_key()
        self.write([key])
        click.echo(f"Made the key {self.file}. Save it apart from {self.path}.", err=True)
        return key

    def write(self, keys: list[ProtectionKey]) -> None:
        write_keys(self.file, keys, self._owner())

    def _owner(self) -> tuple[int, int]:
        """The account of the service, as far as it shows; else that of the folder of the configuration."""
        service = service_account(Places(self.path).run_folder, Places(self.path).log_folder)
        about = self.path.parent.stat()
        return (service.uid, service.primary_group) if service is not None else (about.st_uid, about.st_gid)


def _protect_one(written: str | None, keys: _Keys, as_json: bool) -> None:
    text = _ask() if written is None else written
    if not text or len(text.encode("utf-8", "surrogateescape")) > MAX_SECRET_BYTES:
        give_up(f"A secret has 1 to {MAX_SECRET_BYTES} bytes. Nothing was encrypted.")
    value = protect(Secret(text), keys.need(), os.urandom(NONCE_BYTES))
    click.echo(json.dumps({"protected": value}) if as_json else value)
    if written is not None:
        click.echo(_IN_HISTORY, err=True)


def _ask() -> str:
    if not is_terminal():
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    return str(click.prompt("Secret", hide_input=True, confirmation_prompt="The same again", err=True))


def is_terminal() -> bool:
    """Tell whether somebody types."""
    return sys.stdin.isatty()


def _protect_file(path: Path, keys: _Keys, yes: bool, as_json: bool) -> None:
    contents = read_contents(path, installed_catalogue())
    if as_json:
        if contents.clear:
            replace_file(path, protected_octets(contents, keys.need(), os.urandom))
        click.echo(json.dumps(_changes(path, contents), indent=2, ensure_ascii=False))
        return
    for sentence in contents.passed_over:
        click.echo(sentence, err=True)
    if not contents.clear:
        click.echo(f"{path}: there is no secret in clear text.")
        return
    click.echo(f"{path}: {counted(len(contents.clear), 'secret')} in clear text:")
    for one in contents.clear:
        click.echo(f"  line {one.line} [{one.section}] {one.key} becomes {one.new_key}")
    _confirm(yes)
    replace_file(path, protected_octets(contents, keys.need(), os.urandom))
    click.echo(
        "Done. Commented lines, backups and copies that editors left still hold what they held. Check the file with "
        "authproxyctl check."
    )


def _changes(path: Path, contents: Contents) -> dict[str, object]:
    changed = [
        {"line": one.line, "section": one.section, "option": one.key, "becomes": one.new_key} for one in contents.clear
    ]
    return {"file": str(path), "changed": changed, "passed_over": list(contents.passed_over)}


def _rotate(path: Path, keys: _Keys, yes: bool, as_json: bool) -> None:
    ring = keys.find()
    if ring is None:
        give_up(f"There is no key yet: {keys.file} is not there. authproxy_passwd makes it on first use.")
    if ring.is_credential:
        give_up(
            f"The key is the systemd credential {ring.source}, which this tool cannot write. Write the values in clear "
            "text, put a new key file into the credential, and run authproxy_passwd --whole-config."
        )
    contents: Contents = read_contents(path, installed_catalogue())
    if not as_json:
        click.echo(f"{path}: {counted(len(contents.protected), 'protected value')} will be encrypted with a new key.")
        _confirm(yes)
    key = new_key()
    octets = rotated_octets(contents, ring.keys, key, os.urandom)
    # Both keys stand in the file while the values change: whatever stops this, every value has its key.
    keys.write([key, *ring.keys])
    replace_file(path, octets)
    keys.write([key])
    if as_json:
        click.echo(json.dumps({"file": str(path), "rotated": len(contents.protected)}))
        return
    click.echo("Done. The old key is gone: what was made with it and stands elsewhere cannot be opened any more.")


def _confirm(yes: bool) -> None:
    if yes:
        return
    try:
        wanted = click.confirm("Go on?", default=False)
    except click.Abort:
        give_up("\nNothing was changed: there was no answer. Without a terminal say --yes.")
    if not wanted:
        give_up("Nothing was changed.")
