"""The service without systemd: root starts it, it becomes the service user, and authproxyctl finds it again."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.controls import Controls
from tests.peers.installation import SERVICE_USER, Installation, installation
from tests.peers.ports import free_ports
from tests.peers.proxy import READY, ROOT, Sections
from tests.peers.raw_device import exchange, login_request
from tests.peers.sandbox import IKEY, PASSWORD, SandboxPorts, merged, sandbox_sections
from tests.peers.server import output_matches, start_server, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a service that becomes somebody else")

CAP_NET_BIND_SERVICE = f"{1 << 10:016x}"
LATE = """
from duoproxy.errors import DuoproxyError
from duoproxy.config.option import settings
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.sections.contracts import ServerSection

@settings
class NoSettings:
    pass

class LateServer(ServerSection):
    schema = SectionSchema(name="late_server", role=Role.SERVER, summary="Starts too late.", settings_class=NoSettings)

    async def start(self):
        from twisted.internet.defer import Deferred
        waited = Deferred()
        self.environment.reactor.callLater(0.2, waited.callback, None)
        await waited
        raise DuoproxyError("The moon is not in its house. Wait a week.")
"""


def low_port() -> int:
    """Find a port below 1024 that is free for UDP."""
    for port in range(600, 1024):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no low port is free")


def sections(ports: SandboxPorts, **main: object) -> dict[str, dict[str, object]]:
    more: dict[str, dict[str, object]] = {
        "main": {"log_auth_events": "true", **main},
        "sandbox_duo": {"ca_file": "../run/sandbox-ca.pem"},
    }
    made = sandbox_sections(ports, server={"http_ca_certs_file": "../run/sandbox-ca.pem"})
    return merged({"main": {}, **made}, more)


@pytest.fixture
def ports() -> SandboxPorts:
    """A low port for RADIUS, which needs the privilege."""
    return SandboxPorts(low_port(), free_ports(1)[0])


@pytest.fixture
def installed(ports: SandboxPorts) -> Iterator[Installation]:
    """An installation on the sandbox that rotates its log at every line."""
    with installation(sections(ports, log_max_size=1, log_max_files=3)) as made:
        yield made


def status_of(pid: int) -> dict[str, str]:
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_service_from_start_to_stop(installed: Installation, ports: SandboxPorts) -> None:
    """Root takes a low port, the service user serves it: one capability, logs of its own that rotate, and an end.

    start prints the connectivity report, and then that it runs.
    """
    said = installed.ctl("start")
    report = said.stdout.splitlines()
    assert said.returncode == 0, said.stdout + said.stderr + installed.text()
    assert report[0].startswith("Running the connectivity tool of duoproxy.")
    assert report[1] == "[info]  Testing section 'main' with configuration:"
    assert "[info]  SUMMARY" in report
    assert report[-1] == "The proxy runs."
    pid = installed.pid()
    status = status_of(pid)
    user = str(SERVICE_USER.pw_uid)
    assert status["Uid"].split() == [user] * 4
    assert status["Groups"] == status["Gid"].split()[0] == str(SERVICE_USER.pw_gid)
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {CAP_NET_BIND_SERVICE}
    assert (status["CapInh"], status["CapAmb"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    again = installed.ctl("start", "--json")
    assert (again.returncode, json.loads(again.stdout)["pid"]) == (0, pid)

    reply = exchange(f"127.0.0.1:{ports.radius}", login_request("alice", PASSWORD.encode()))
    assert reply is not None
    assert reply[0] == 2
    logs = sorted(installed.log.parent.iterdir())
    assert [path.name for path in logs] == [
        "authevents.log",
        *[f"authevents.log.{n}" for n in (1,)],
        "authproxy.log",
    ] + [f"authproxy.log.{number}" for number in (1, 2, 3)] + ["connectivity_tool.log"]
    for path in logs:
        about = path.stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o7777) == (
            SERVICE_USER.pw_uid,
            SERVICE_USER.pw_gid,
            0o640,
        ), path

    assert installed.ctl("restart", "--no-report").returncode == 0
    assert installed.pid() != pid
    stopped = installed.ctl("stop", "--json")
    assert (stopped.returncode, json.loads(stopped.stdout)["state"]) == (0, "stopped")
    assert not installed.pid_file.exists()
    assert not Path("/proc", str(pid)).exists()


def test_usr1_opens_the_logs_anew(ports: SandboxPorts) -> None:
    """An outside logrotate renames and sends SIGUSR1, with log_max_size=0; a trap in between costs no line."""
    with installation(sections(ports, log_max_size=0)) as made:
        made.start()
        made.log.rename(made.log.with_name("moved"))
        os.kill(made.pid(), signal.SIGUSR1)
        made.wait_for_log("The log files were opened anew (SIGUSR1).")
        assert "duoproxy is ready" in made.log.with_name("moved").read_text()
        made.log.rename(made.log.with_name("second"))
        made.log.symlink_to("/etc/hosts")
        hosts = Path("/etc/hosts").read_bytes()
        os.kill(made.pid(), signal.SIGUSR1)
        second = made.log.with_name("second")
        wait_until(lambda: "it is a symbolic link" in second.read_text(), "the refusal in the log that stays open")
        assert Path("/etc/hosts").read_bytes() == hosts


@pytest.mark.needs_peer("logrotate")
def test_the_settings_for_logrotate_work_as_they_stand_in_the_documentation(
    ports: SandboxPorts, tmp_path: Path
) -> None:
    """The real logrotate, twice: no line is lost, what is old is compressed, and the service writes a new file."""
    page = (Path(__file__).parents[2] / "docs/how-to/operate.md").read_text("utf-8")
    settings = page.partition("```text\n/opt/duoauthproxy/log/*.log {")[2].partition("```")[0]
    assert "systemctl kill --signal=USR1 duoauthproxy" in settings
    with installation(sections(ports, log_max_size=0)) as made:
        made.start()
        text = f"{made.log.parent}/*.log {{{settings}".replace(
            "systemctl kill --signal=USR1 duoauthproxy", f"kill -USR1 $(cat {made.pid_file})"
        ).replace("su duo_authproxy_svc duo_authproxy_grp", f"su {SERVICE_USER.pw_name} {SERVICE_USER.pw_gid}")
        file = tmp_path / "logrotate.conf"
        file.write_text(text, "utf-8")
        file.chmod(0o644)
        for times in (1, 2):
            made.wait_for_log("is ready" if times == 1 else "The log files were opened anew (SIGUSR1).")
            done = made.run(["logrotate", "--force", "--state", str(tmp_path / "state"), str(file)])
            assert (done.returncode, done.stderr) == (0, "")
            wait_until(made.log.exists, "a new log")
        made.wait_for_log("The log files were opened anew (SIGUSR1).")
        compressed = made.log.with_name("authproxy.log.2.gz")
        assert "duoproxy is ready" in gzip.decompress(compressed.read_bytes()).decode()
        assert "opened anew" in made.log.with_name("authproxy.log.1").read_text("utf-8")
        assert made.log.stat().st_uid == SERVICE_USER.pw_uid


def test_links_in_the_log_folder_lead_root_nowhere(installed: Installation, tmp_path: Path) -> None:
    """The service user owns the folder: what it lays there is neither written, nor made, nor given away."""
    precious = tmp_path / "precious"
    precious.write_text("untouched")
    before = precious.stat()
    for name, lay in (
        ("authproxy.log", lambda path: path.symlink_to(precious)),
        ("authevents.log", lambda path: path.symlink_to(tmp_path / "new")),
        ("authproxy.log", lambda path: os.mkfifo(path, 0o666)),
    ):
        trap = installed.log.with_name(name)
        lay(trap)
        os.chown(trap, SERVICE_USER.pw_uid, SERVICE_USER.pw_gid, follow_symlinks=False)
        started = installed.ctl("start", "--no-report")
        assert started.returncode == 1
        assert f"the log file {trap} cannot be written: it is a " in started.stderr
        assert not installed.pid_file.exists()
        for path in installed.log.parent.iterdir():
            path.unlink()
    after = precious.stat()
    assert (precious.read_text(), after.st_uid, after.st_mode) == ("untouched", before.st_uid, before.st_mode)
    assert not (tmp_path / "new").exists()


def test_a_log_of_root_is_told_of_and_not_taken(installed: Installation) -> None:
    """Whoever ran the proxy as root once left files that the service cannot write; the sentence says what to do."""
    installed.log.touch(mode=0o600)
    started = installed.ctl("start", "--no-report")
    assert started.returncode == 1
    assert f"the log file {installed.log} cannot be written: Permission denied." in started.stderr
    assert f"chown {SERVICE_USER.pw_uid} {installed.log}" in started.stderr
    assert installed.log.stat().st_uid == 0


def test_what_the_service_user_writes_into_its_pid_file_ends_nothing(installed: Installation) -> None:
    """Neither a number of somebody else's process, nor a link, makes root send a signal or overwrite a file."""
    for written in (str(os.getpid()), "1"):
        installed.pid_file.write_text(written)
        os.chown(installed.pid_file, SERVICE_USER.pw_uid, SERVICE_USER.pw_gid)
        stopped = installed.ctl("stop")
        assert (stopped.returncode, stopped.stdout) == (0, "The proxy does not run.\n")
    precious = installed.folder / "conf" / "precious"
    precious.write_text("untouched")
    installed.pid_file.unlink()
    installed.pid_file.symlink_to(precious)
    installed.start()
    assert precious.read_text() == "untouched"
    assert not installed.pid_file.is_symlink()


def test_a_section_that_fails_late_fails_the_command(ports: SandboxPorts, tmp_path: Path) -> None:
    """The process has become a daemon long before: the command ends with status 1 and the sentence all the same."""
    with installation(sections(ports)) as made:
        plugin = made.folder / "plugin"
        (plugin / "late-1.0.dist-info").mkdir(parents=True)
        (plugin / "late-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
        points = "[duoproxy.sections]\nlate_server = late_section:LateServer\n"
        (plugin / "late-1.0.dist-info" / "entry_points.txt").write_text(points)
        (plugin / "late_section.py").write_text(LATE)
        made.environment["PYTHONPATH"] = f"{plugin}{os.pathsep}{ROOT}"
        made.configure(merged(sections(ports), {"late_server": {}}))
        sentence = "The start failed. The moon is not in its house. Wait a week."
        by_ctl = made.ctl("start", "--no-report", "--json")
        assert by_ctl.returncode == 1
        assert json.loads(by_ctl.stdout)["message"] == sentence
        assert sentence in made.text()
        daemon = made.twistd(
            f"--pidfile={made.pid_file}", "duoauthproxy", "-c", str(made.configuration), "--user", "nobody"
        )
        assert daemon.returncode == 1
        assert sentence in daemon.stderr
        wait_until(lambda: not made.pid_file.exists(), "the daemon has ended")


def test_a_start_by_twistd_alone_becomes_the_user_of_uid(installed: Installation) -> None:
    """`twistd --uid U --gid G` is done by us: before a log is opened, and with one capability."""
    options = ("--uid", "nobody", "--gid", str(SERVICE_USER.pw_gid))
    started = installed.twistd(
        f"--pidfile={installed.pid_file}", *options, "duoauthproxy", "-c", str(installed.configuration)
    )
    assert started.returncode == 0, started.stderr
    status = status_of(installed.pid())
    assert status["Uid"].split() == [str(SERVICE_USER.pw_uid)] * 4
    assert status["CapEff"] == CAP_NET_BIND_SERVICE


def test_starts_that_cannot_be_say_why(installed: Installation, ports: SandboxPorts) -> None:
    """Each with a sentence and status 1, and no process that stays behind."""
    pid_in_roots_folder = installed.twistd("duoauthproxy", "-c", str(installed.configuration), "--user", "nobody")
    assert pid_in_roots_folder.returncode == 1
    assert f"twistd --pidfile={installed.pid_file} duoauthproxy" in pid_in_roots_folder.stderr
    run = installed.pid_file.parent
    owner = run.stat()
    os.chown(run, 0, 0)
    folder_of_root = installed.ctl("start", "--no-report", "--user", SERVICE_USER.pw_name)
    os.chown(run, owner.st_uid, owner.st_gid)
    assert folder_of_root.returncode == 1
    assert f"Give its folder to that user: chown {SERVICE_USER.pw_name} {run}" in folder_of_root.stderr
    nobody_there = installed.ctl("start", "--no-report", "--user", "no-such-user")
    assert (nobody_there.returncode, nobody_there.stderr[:35]) == (1, "There is no user no-such-user. Make")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", ports.radius))
        in_use = installed.ctl("start", "--no-report")
    assert in_use.returncode == 1
    assert f"[radius_server_auto] UDP port {ports.radius} on 127.0.0.1 is in use by another program." in in_use.stderr
    assert not installed.pid_file.exists()


def test_stop_now_rejects_a_login_whose_push_rings(ports: SandboxPorts) -> None:
    """Without --now the stop would wait for the user."""
    asks = sandbox_sections(ports, {"alice": "push"}, server={"http_ca_certs_file": "../run/sandbox-ca.pem"})
    with installation(merged(asks, {"sandbox_duo": {"ca_file": "../run/sandbox-ca.pem"}})) as made:
        made.start()
        controls = Controls(ports.api, made.folder / "run" / "sandbox-ca.pem")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            device.settimeout(20)
            device.sendto(login_request("alice", PASSWORD.encode()), ("127.0.0.1", ports.radius))
            controls.pending("alice")
            assert made.ctl("stop", "--now").returncode == 0
            assert device.recv(4096)[0] == 3
        assert "cause=shutdown" in made.text()


def test_a_restart_with_a_slip_leaves_the_running_proxy_as_it_is(installed: Installation, ports: SandboxPorts) -> None:
    """The configuration is read before anything is stopped."""
    installed.start()
    pid = installed.pid()
    installed.configure(merged(sections(ports), {"radius_server_auto": {"port": 99999}}))
    restarted = installed.ctl("restart", "--no-report")
    assert restarted.returncode == 1
    assert restarted.stderr.startswith("Nothing was changed. error: ")
    assert installed.pid() == pid
    os.kill(pid, 0)


def test_authproxy_serves_in_the_foreground_until_it_is_asked_to_end(ports: SandboxPorts) -> None:
    """What containers exec: root becomes the service user, the log goes to standard output, the status is 0."""
    program = "from duoproxy.tools.foreground import main; main(prog_name='authproxy')"
    with installation(sections(ports, log_stdout="true")) as made:
        said = made.run([sys.executable, "-c", program, "--version"])
        assert (said.returncode, said.stdout.split()[0]) == (0, "duoproxy")
        command, variables = made.visible([sys.executable, "-c", program, "-c", str(made.configuration)])
        server = start_server(
            "authproxy", command, folder=made.folder / "python", ready=output_matches(READY), environment=variables
        )
        assert status_of(server.pid)["Uid"].split() == [str(SERVICE_USER.pw_uid)] * 4
        assert server.stop() == 0
        assert not made.log.exists()


def test_a_dns_that_never_answers_delays_start_and_stop_by_seconds_only() -> None:
    """A machine that boots before its DNS must get its proxy, and one that is shut down must not wait for it."""
    port = free_ports(1)[0]
    client = {"host": "radius.corp.example", "secret": "s3cret", "host_2": "127.0.0.1", "secret_2": "s3cret"}
    duo = {"ikey": IKEY, "skey": "s" * 40, "api_host": "api-00000000.duosecurity.com", "failmode": "secure"}
    device = {"radius_ip_1": "127.0.0.1", "radius_secret_1": "s3cret", "interface": "127.0.0.1", "port": port}
    written: Sections = {
        "radius_client": client,
        "radius_client2": client,
        "radius_server_auto": {**duo, **device, "client": "radius_client"},
    }
    with installation(written) as made, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.53.53.53", 53))
        (made.folder / "resolv.conf").write_text("nameserver 127.53.53.53\noptions timeout:30 attempts:5\n")
        began = time.monotonic()
        made.start()
        started = time.monotonic()
        assert started - began < 25
        assert made.ctl("stop").returncode == 0
        assert time.monotonic() - started < 15
        assert not made.pid_file.exists()
