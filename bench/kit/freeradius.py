"""FreeRADIUS as the competitor (the proxy's job, with rlm_rest or rlm_python3), and as the server that knows passwords.

Each runs with one generated radiusd.conf, tuned for speed: no log of logins, no clean-up delay, kept connections to the
API. With rlm_rest it makes two calls to paths of the stand-in that answer by status alone, and does not sign them (it
can do neither by itself); with rlm_python3 it does all that a client of Duo's API has to do.
"""

from __future__ import annotations

import shutil
from enum import Enum
from pathlib import Path

from bench.kit.processes import LOOPBACK, Process

SECRET = "testing123"
PASSWORD = "correct horse"
IKEY = "DIXXXXXXXXXXXXXXXXXX"
SKEY = "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
PYTHON_MODULE = Path(__file__).with_name("freeradius_duo.py")
MAX_REQUEST_S = 120


class Way(Enum):
    """How FreeRADIUS asks the API."""

    REST = "rlm_rest"
    PYTHON = "rlm_python3"


def start_upstream(folder: Path, port: int, core: int) -> Process:
    """Start a FreeRADIUS that checks passwords in a users file."""
    modules = 'pap {\n}\nfiles {\n\tfilename = "${confdir}/users"\n}'
    (folder / "upstream").mkdir(exist_ok=True)
    (folder / "upstream/users").write_text(f'DEFAULT Cleartext-Password := "{PASSWORD}"\n', "ascii")
    sections = "authorize {\n\tfiles\n\tpap\n}\nauthenticate {\n\tAuth-Type PAP {\n\t\tpap\n\t}\n}"
    return start_freeradius(folder / "upstream", port, core, modules, sections, threads=8)


def start_proxy(
    folder: Path, port: int, core: int, way: Way, api_port: int, ca_file: Path, upstream_port: int | None, threads: int
) -> Process:
    """Start a FreeRADIUS that asks for the second factor.

    Args:
        folder: where its configuration goes.
        port: where it listens.
        core: the core it may use.
        way: how it asks.
        api_port: where the stand-in listens.
        ca_file: whom to trust.
        upstream_port: the RADIUS server that checks passwords; None: nobody does.
        threads: how many logins it can work on at once.
    """
    own = folder / way.value
    own.mkdir(exist_ok=True)
    environment: dict[str, str] = {}
    if upstream_port is None:
        decide, proxying = "update control {\n\t\tAuth-Type := Accept\n\t}", "proxy_requests = no"
    else:
        decide, proxying = 'update control {\n\t\tProxy-To-Realm := "upstream"\n\t}', proxying_to(upstream_port)
    if way is Way.REST:
        modules, call = _rest(api_port, ca_file, threads), "rest.authorize\n\trest.post-auth"
    else:
        (modules, environment), call = python_call(own, api_port, ca_file), "python3"
    sections = f"authorize {{\n\t{decide}\n}}\nauthenticate {{\n}}\npost-auth {{\n\t{call}\n}}"
    return start_freeradius(own, port, core, modules, sections, threads, proxying, environment)


def python_call(folder: Path, api_port: int, ca_file: Path) -> tuple[str, dict[str, str]]:
    """Put freeradius_duo.py into a folder; give the module that calls it (`python3`) and the environment it needs."""
    shutil.copy(PYTHON_MODULE, folder / PYTHON_MODULE.name)
    return _PYTHON, {"DUO_PORT": str(api_port), "DUO_CA": str(ca_file), "DUO_IKEY": IKEY, "DUO_SKEY": SKEY}


def start_freeradius(
    folder: Path,
    port: int,
    core: int,
    modules: str,
    sections: str,
    threads: int,
    proxying: str = "proxy_requests = no",
    environment: dict[str, str] | None = None,
) -> Process:
    """Start a FreeRADIUS.

    Args:
        folder: where its configuration goes.
        port: where it listens.
        core: the core it may use.
        modules: their configuration.
        sections: authorize, authenticate and post-auth of its one server.
        threads: how many logins it can work on at once.
        proxying: proxy_requests, and what belongs to it.
        environment: variables for its modules.
    """
    folder.mkdir(exist_ok=True)
    (folder / "dictionary").write_text("", "ascii")
    (folder / "radiusd.conf").write_text(_radiusd(folder, port, modules, sections, threads, proxying), "utf-8")
    command = ["freeradius", "-f", "-l", "stdout", "-d", str(folder), "-n", "radiusd"]
    process = Process(f"freeradius-{folder.name}", command, folder, core, environment)
    try:
        process.wait_until(lambda: "Ready to process requests" in process.text())
    except BaseException:
        process.stop()
        raise
    return process


def _radiusd(folder: Path, port: int, modules: str, sections: str, threads: int, proxying: str) -> str:
    return f"""prefix = /usr
localstatedir = {folder}
libdir = /usr/lib/freeradius
confdir = {folder}
run_dir = {folder}
logdir = {folder}
max_request_time = {MAX_REQUEST_S}
cleanup_delay = 0
max_requests = 65536
log {{
	destination = stdout
	auth = no
}}
security {{
	max_attributes = 200
	reject_delay = 0
	status_server = no
}}
thread pool {{
	start_servers = {threads}
	max_servers = {threads}
	min_spare_servers = {threads}
	max_spare_servers = {threads}
	max_queue_size = 65536
	max_requests_per_server = 0
	auto_limit_acct = no
}}
client loopback {{
	ipaddr = {LOOPBACK}
	secret = {SECRET}
	require_message_authenticator = no
}}
modules {{
{modules}
}}
{proxying}
server default {{
listen {{
	type = auth
	ipaddr = {LOOPBACK}
	port = {port}
}}
{sections}
}}
"""


def proxying_to(port: int) -> str:
    """Give the part of radiusd.conf that sends requests of the realm `upstream` on to a port of loopback."""
    return f"""proxy_requests = yes
proxy server {{
	default_fallback = no
}}
home_server upstream {{
	type = auth
	ipaddr = {LOOPBACK}
	port = {port}
	secret = {SECRET}
	response_window = 20
	max_outstanding = 65536
	status_check = none
}}
home_server_pool upstream {{
	type = fail-over
	home_server = upstream
}}
realm upstream {{
	auth_pool = upstream
	nostrip
}}
"""


def _rest(api_port: int, ca_file: Path, threads: int) -> str:
    def call(section: str, path: str) -> str:
        return f"""	{section} {{
		uri = "${{..connect_uri}}/plain/{path}"
		method = 'post'
		body = 'json'
		data = '{{"username":"%{{User-Name}}"}}'
		tls = ${{..tls}}
		timeout = 60
	}}
"""

    return f"""rest {{
	tls {{
		ca_info_file = {ca_file}
		check_cert = yes
		check_cert_cn = yes
	}}
	connect_uri = "https://localhost:{api_port}"
	connect_timeout = 10
{call("authorize", "preauth")}{call("post-auth", "auth")}	pool {{
		start = 0
		min = 0
		max = {threads}
		spare = {threads}
		uses = 0
		retry_delay = 1
		lifetime = 0
		idle_timeout = 0
	}}
}}"""


_PYTHON = """python3 {
	python_path = "${confdir}:/usr/lib/python3.11:/usr/lib/python3.11/lib-dynload:/usr/lib/python3/dist-packages"
	module = freeradius_duo
	mod_post_auth = ${.module}
	func_post_auth = post_auth
}"""
