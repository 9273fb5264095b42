"""What a user of FreeRADIUS would write for rlm_python3: preauth and auth, signed, over one kept connection a thread.

Runs inside FreeRADIUS, with the standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import threading
from email.utils import formatdate
from typing import Any

import radiusd  # type: ignore[import-not-found]  # FreeRADIUS brings it

HOST = "localhost"
PORT = int(os.environ["DUO_PORT"])
IKEY = os.environ["DUO_IKEY"]
SKEY = os.environ["DUO_SKEY"].encode()
TIMEOUT_S = 60

_tls = ssl.create_default_context(cafile=os.environ["DUO_CA"])
_thread = threading.local()
_no_headers = hashlib.sha512(b"").hexdigest()


def _call(path: str, params: dict[str, str]) -> Any:
    connection = getattr(_thread, "connection", None)
    if connection is None:
        connection = _thread.connection = http.client.HTTPSConnection(HOST, PORT, timeout=TIMEOUT_S, context=_tls)
    date = formatdate()
    body = json.dumps(params, sort_keys=True, separators=(",", ":"))
    lines = (date, "POST", HOST, path, "", hashlib.sha512(body.encode()).hexdigest(), _no_headers)
    digest = hmac.new(SKEY, "\n".join(lines).encode(), hashlib.sha512).hexdigest()
    headers = {
        "Date": date,
        "Authorization": "Basic " + base64.b64encode(f"{IKEY}:{digest}".encode()).decode(),
        "Content-Type": "application/json",
    }
    try:
        connection.request("POST", path, body, headers)
        return json.loads(connection.getresponse().read())["response"]
    except Exception:
        _thread.connection = None
        raise


def post_auth(pairs: tuple[tuple[str, str], ...]) -> int:
    """Ask whether the user may, then ask the user."""
    username = dict(pairs)["User-Name"]
    try:
        if _call("/auth/v2/preauth", {"username": username})["result"] != "auth":
            return int(radiusd.RLM_MODULE_REJECT)
        params = {"async": "0", "device": "auto", "factor": "push", "username": username}
        allowed = _call("/auth/v2/auth", params)["result"] == "allow"
    except Exception as fault:  # noqa: BLE001 - whatever it is, nobody is let in
        radiusd.radlog(radiusd.L_ERR, f"duo: {fault!r}")
        return int(radiusd.RLM_MODULE_FAIL)
    return int(radiusd.RLM_MODULE_OK if allowed else radiusd.RLM_MODULE_REJECT)
