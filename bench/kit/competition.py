"""The stage of a measurement: keys, the stand-in, our proxy, and one load of logins with what it cost the server."""

from __future__ import annotations

import datetime
import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from bench.kit.freeradius import IKEY, SECRET, SKEY
from bench.kit.processes import (
    LOOPBACK,
    Process,
    free_port,
    machine_busy_s,
    python,
    tls_trusting,
)
from bench.kit.radius_load import user_name
from duoproxy.sandbox.certificates import make_certificates

KIT = Path(__file__).parent
LOAD_DEADLINE_S = 240.0


@dataclass(frozen=True)
class Api:
    """A running stand-in."""

    process: Process
    port: int
    ca_file: Path

    def stats(self) -> dict[str, int]:
        """What has happened since the last call."""
        connection = self.connect()
        try:
            found: dict[str, int] = ask(connection, "/stats")
        finally:
            connection.close()
        return found

    def connect(self) -> http.client.HTTPSConnection:
        """A connection to ask over."""
        return http.client.HTTPSConnection("localhost", self.port, context=tls_trusting(self.ca_file), timeout=60)


def ask(connection: http.client.HTTPSConnection, path: str) -> Any:
    """Ask the stand-in about itself."""
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def start_api(folder: Path, core: int, push_s: float) -> Api:
    """Start the stand-in, with a certificate of its own."""
    made = make_certificates(datetime.datetime.now(datetime.UTC))
    ca_file, certificate, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    ca_file.write_bytes(made.ca_pem)
    certificate.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    key.touch(mode=0o600)
    key.write_bytes(
        made.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    port = free_port()
    arguments = ["--port", str(port), "--certificate", str(certificate), "--key", str(key)]
    script = python(KIT / "duo_stand_in.py", *arguments, "--push-seconds", str(push_s))
    process = Process("duo_stand_in", script, folder, core)
    process.wait_until(lambda: "ready" in process.text())
    return Api(process, port, ca_file)


def start_duoproxy(
    folder: Path,
    port: int,
    core: int,
    api: Api,
    upstream_port: int | None,
    transaction: str = "blocking",
    profile: Path | None = None,
    client: str = "",
    exempt: int = 0,
) -> Process:
    """Start our proxy.

    Args:
        folder: where its configuration and logs go.
        port: where it listens.
        core: the core it may use.
        api: whom it asks.
        upstream_port: the RADIUS server that checks passwords; None: [duo_only_client].
        transaction: how a push is waited for.
        profile: where the samples of run_proxy.py go; None: none are taken.
        client: a client section, instead of the two above.
        exempt: so many of the device's users need no second factor.
    """
    if upstream_port is not None:
        client = f"[radius_client]\nhost={LOOPBACK}\nport={upstream_port}\nsecret={SECRET}\n"
    client = client or "[duo_only_client]"
    options = f"{client}\n[radius_server_auto]\n{server_options(port, api)}" + "".join(
        f"exempt_username_{number + 1}={user_name(number)}\n" for number in range(exempt)
    )
    environment = {"DUOPROXY_BENCH_TRANSACTION": transaction, "DUOPROXY_BENCH_PROFILE": str(profile or "")}
    return run_duoproxy(folder / f"duoproxy-{transaction}", core, options, environment)


def server_options(port: int, api: Api) -> str:
    """The options that every server section needs, a line each."""
    return (
        f"ikey={IKEY}\nskey={SKEY}\napi_host=localhost:{api.port}\nhttp_ca_certs_file={api.ca_file}\nport={port}\n"
        f"failmode=secure\nradius_ip_1={LOOPBACK}\nradius_secret_1={SECRET}\n"
    )


def run_duoproxy(folder: Path, core: int, sections: str, environment: Mapping[str, str] | None = None) -> Process:
    """Start our proxy with these sections beside [main], in a folder of its own, and wait until it is ready."""
    folder.mkdir(exist_ok=True)
    configuration = folder / "authproxy.cfg"
    configuration.touch(mode=0o600)
    configuration.write_text(f"[main]\nlog_dir={folder}\ninterface={LOOPBACK}\n{sections}", "utf-8")
    arguments = ["-n", "--pidfile=", "duoauthproxy", "-c", str(configuration)]
    process = Process("duoproxy", python(KIT / "run_proxy.py", *arguments), folder, core, environment)
    log = folder / "authproxy.log"
    try:
        process.wait_until(lambda: log.exists() and "duoproxy is ready" in log.read_text("utf-8", "replace"))
    except BaseException:
        process.stop()
        raise
    return process


@dataclass(frozen=True)
class Measured:
    """What one load gave.

    Attributes:
        accepted: logins that were let in.
        refused: logins that got a Reject, or no answer.
        seconds: from the first request to the last answer.
        p50_ms: the middle login.
        p95_ms: the slow ones.
        cpu_s: CPU of the server.
        others_percent: how much of the server's core everybody else took.
    """

    accepted: int
    refused: int
    seconds: float
    p50_ms: float
    p95_ms: float
    cpu_s: float
    others_percent: float

    @property
    def per_second(self) -> float:
        """Logins a second."""
        return self.accepted / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """CPU of the server for one login, in µs."""
        return 1e6 * self.cpu_s / self.accepted if self.accepted else 0.0


def start_load(folder: Path, port: int, core: int, logins: int, **options: float | str) -> Process:
    """Start the device; options as radius_load.py has them."""
    arguments = ["--port", str(port), "--secret", SECRET, "--logins", str(logins)]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    return Process("radius_load", python(KIT / "radius_load.py", *arguments), folder, core)


def load_result(load: Process) -> dict[str, Any]:
    """What the device reported at its end."""
    found: dict[str, Any] = json.loads(load.text().splitlines()[-1])
    return found


def measure(
    server: Process,
    core: int,
    load_core: int,
    folder: Path,
    port: int,
    logins: int,
    in_flight: int,
    **options: float | str,
) -> Measured:
    """Run one load against a server, with at most so many logins in flight, and account for it."""
    return account_for(
        server, core, lambda: start_load(folder, port, load_core, logins, in_flight=in_flight, **options)
    )


def account_for(server: Process, core: int, start: Callable[[], Process]) -> Measured:
    """Run a load to its end, and tell what it cost a server.

    Args:
        server: whose CPU counts.
        core: its core.
        start: begins the load, whose last line is that of radius_load.py.
    """
    cpu, busy, began = server.cpu_s(), machine_busy_s(core), time.monotonic()
    with start() as load:
        load.wait(LOAD_DEADLINE_S)
        result = load_result(load)
    cpu_s = server.cpu_s() - cpu
    others_s = max(0.0, machine_busy_s(core) - busy - cpu_s)
    return Measured(
        result["accepted"],
        result["rejected"] + result["unanswered"],
        result["seconds"],
        result["p50_ms"],
        result["p95_ms"],
        cpu_s,
        100 * others_s / (time.monotonic() - began),
    )
