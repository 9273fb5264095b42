"""What a test turns and reads at the sandbox of a running proxy: faults, events, and the phone."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.sandbox import SandboxProxy
from tests.peers.server import wait_until

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Controls:
    """Calls to the stand-in on 127.0.0.1.

    Attributes:
        port: of its HTTPS.
        ca_file: whom to trust.
    """

    port: int
    ca_file: Path

    def call(self, path: str, document: object = None) -> Any:
        """Make one call (`/sandbox/…` or `/phone/…`); with a document it is a POST."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=DEADLINE_S)
        method, body = ("GET", None) if document is None else ("POST", json.dumps(document))
        try:
            connection.request(method, path, body, {"X-Sandbox": "test", "Content-Type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        assert answer.status == 200, content
        return content

    def fault(self, kind: str, **more: object) -> None:
        """Turn one fault on, and all others off."""
        self.call("/sandbox/faults", {"faults": [{"kind": kind, **more}]})

    def reset(self) -> None:
        """End all faults, and forget what happened."""
        self.call("/sandbox/reset", {})

    def asked(self, user: str) -> dict[str, int]:
        """How often a user was asked, by factor."""
        counted: dict[str, int] = self.call("/sandbox/state")["asked"].get(user, {})
        return counted

    def pending(self, user: str) -> dict[str, Any]:
        """Wait for the push or call of a user; give it as the phone page shows it."""
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            found.extend(one for one in self.call("/phone/state")["pending"] if one["username"] == user)
            return bool(found)

        wait_until(seen, f"a push for {user}", DEADLINE_S)
        return found[0]

    def answer(self, push: dict[str, Any], answer: str) -> None:
        """Answer it: `approve`, `deny` or `fraud`."""
        assert self.call("/phone/answer", {"txid": push["txid"], "answer": answer}) == {"answered": True}


def controls_of(proxy: SandboxProxy) -> Controls:
    """The controls of a proxy on its own sandbox."""
    return Controls(proxy.ports.api, proxy.server.folder / "sandbox-ca.pem")
