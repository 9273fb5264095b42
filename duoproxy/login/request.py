"""LoginRequest: what a device asks, whatever protocol it spoke."""

from __future__ import annotations

from attrs import frozen

from duoproxy.secret import Secret


@frozen
class LoginRequest:
    """One login, as the flow and the client sections see it.

    Attributes:
        login_id: short unique name of this login in every log line about it.
        username: as the device sent it.
        password: the text in the password field (may be empty), decoded by the section's `pw_codec`.
        device: the address of the device that asks, in text form.
        client_ip: the end user's own address, or None when the device names none.
        server_section: name of the INI section that received it.
        wire: what else the device's protocol said (for RADIUS: a `DeviceRequest`). Opaque here; read only by a client
            section that speaks the same protocol.
    """

    login_id: str
    username: str
    password: Secret
    device: str
    client_ip: str | None
    server_section: str
    wire: object = None

    @property
    def duo_username(self) -> str:
        """The name that Duo is asked about: as the device sent it, outer blanks removed."""
        return self.username.strip()
