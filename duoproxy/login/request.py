"""LoginRequest: what a device asks, whatever protocol it spoke, and what its user proves a password with."""

from __future__ import annotations

from attrs import field, frozen

from duoproxy.secret import Secret


@frozen
class PasswordProof:
    """The answer to a challenge (CHAP and its kin): it proves that somebody knows the password, and shows it to nobody.

    Only who knows the password already can check it, and no factor can stand behind it.

    Attributes:
        kind: its name in a sentence (`an MS-CHAP2-Response`).
        wire: the proof as the device's protocol carries it. Opaque here; read only by a client section that speaks the
            same protocol.
    """

    kind: str
    wire: object = field(repr=False)


Credential = Secret | PasswordProof
"""What a user proves a password with: the text in a password field, or a proof."""


@frozen
class LoginRequest:
    """One login, as the flow and the client sections see it.

    Attributes:
        login_id: short unique name of this login in every log line about it.
        username: as the device sent it.
        credential: the text in the password field (may be empty), decoded by the section's `pw_codec`; or a proof,
            which only the sections for whose client that is of use let come so far. It is given as `password`.
        device: the address of the device that asks, in text form.
        client_ip: the end user's own address, or None when the device names none.
        server_section: name of the INI section that received it.
        wire: what else the device's protocol said (for RADIUS: a `DeviceRequest`). Opaque here; read only by a client
            section that speaks the same protocol.
    """

    login_id: str
    username: str
    credential: Credential = field(alias="password")
    device: str
    client_ip: str | None
    server_section: str
    wire: object = None

    @property
    def password(self) -> Secret:
        """The text in the password field.

        Raises:
            TypeError: there is a proof instead; it is no password, and must not be taken for an empty one.
        """
        if isinstance(self.credential, PasswordProof):
            raise TypeError(f"{self.credential.kind} is no password: this client section cannot check it")
        return self.credential

    @property
    def duo_username(self) -> str:
        """The name that Duo is asked about: as the device sent it, outer blanks removed."""
        return self.username.strip()
