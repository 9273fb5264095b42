"""Opens the `_protected` values of a file: finds the keys, and turns what is wrong into a problem of the option."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from duoproxy.config.file_kinds import MAX_SECRET_BYTES, PLACEHOLDER_SECRET, SecretText, read_beginning
from duoproxy.config.kind import Kind, ParseContext, Reach, ValueParseError
from duoproxy.config.protected import (
    CREDENTIAL_NAME,
    MAX_KEY_FILE_BYTES,
    ProtectionFault,
    ProtectionKey,
    is_protected_value,
    key_file_beside,
    read_keys,
    unprotect,
    unreadable,
)
from duoproxy.secret import Secret


def open_protected(text: str, kind: Kind[Any], context: ParseContext) -> Any:
    """Give the value of an option whose encrypted twin is written.

    Args:
        text: what stands right of the `=`.
        kind: of the option; the opened text is a secret as it is, and names no file.
        context: says where the keys are, and how far to look.

    Raises:
        ValueParseError: it cannot be opened.
    """
    try:
        if not is_protected_value(text):
            raise unreadable(text)
        if not context.follows_files:
            return _not_opened(context)
        secret = _open(text, context)
    except ProtectionFault as fault:
        raise ValueParseError(fault.what, fault.remedy, wants_example=False) from None
    if secret is None:
        return _not_opened(context)
    if len(secret) > MAX_SECRET_BYTES:
        raise ValueParseError("the secret is too long", f"Take one of at most {MAX_SECRET_BYTES} bytes")
    return secret if isinstance(kind, SecretText) else kind.parse(secret.reveal_text(), context)


def _open(text: str, context: ParseContext) -> Secret | None:
    """Open a value with the keys that can be read; None when this account may not read the one that it needs."""
    keys: list[ProtectionKey] = []
    sources = key_sources(context)
    all_read = bool(sources)
    for source in sources:
        content = read_beginning(source, MAX_KEY_FILE_BYTES + 1, context)
        if content is None:
            all_read = False
        else:
            keys += read_keys(content, str(source))
    context.warnings.clear()  # of files that may not be read; what matters of it is said once, by the caller
    try:
        return unprotect(text, keys, " and ".join(map(str, sources)))
    except ProtectionFault:
        if all_read:
            raise
        return None


def key_sources(context: ParseContext) -> list[Path]:
    """List the files that hold keys: the systemd credential, then the file beside the configuration.

    Returns:
        those that are there; where the service itself does not ask, that may be none, for it may have the credential.

    Raises:
        ProtectionFault: the service has neither.
    """
    folder = context.environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(folder) / CREDENTIAL_NAME] if folder else []
    places.append(key_file_beside(context.folder))
    found = [place for place in places if os.path.isfile(place)]
    if not found and context.reach is Reach.SERVICE:
        what = f"there is no key to open it with: {places[-1]} is not there"
        raise ProtectionFault(what, "Put the key file back that it was made with, or make it again: authproxy_passwd")
    return found


def _not_opened(context: ParseContext) -> Secret:
    what = "the protected value was not opened, because this account sees no key for it"
    remedy = f"See that the service finds {key_file_beside(context.folder)}, or the credential {CREDENTIAL_NAME}"
    context.warn(what, remedy)
    return PLACEHOLDER_SECRET
