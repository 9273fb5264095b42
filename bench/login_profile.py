"""Where the proxy's time goes in a two-factor login, by component.

The proxy samples its own stack each 2 ms of CPU; a sample belongs to the innermost file that a component claims, so
that a component's share holds what it calls in the standard library, and not what it calls in other components.

    PYTHONPATH=. python bench/login_profile.py [--logins 4000] [--in-flight 32] [--files 15]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

from bench.kit.competition import measure, start_api, start_duoproxy
from bench.kit.processes import ROOT, cores, free_port
from bench.kit.table import print_table

OTHER = "other"

# The first pattern that is in the path of a file claims it; files without a pattern belong to their caller.
COMPONENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("logging", ("/twisted/logger/", "/service/log", "/twisted/python/logfile")),
    ("treq: URLs, cookies, wrapping", ("/treq/", "/hyperlink/", "/idna/", "/http/cookiejar")),
    ("HTTP/1.1 of twisted.web: pool, headers, parser", ("/twisted/web/", "/twisted/protocols/basic")),
    ("TLS: twisted.protocols, pyOpenSSL", ("/twisted/protocols/", "/OpenSSL/", "/service_identity/")),
    (
        "TCP, reactor, timers",
        (
            "/twisted/internet/tcp",
            "/twisted/internet/abstract",
            "/twisted/internet/base",
            "/twisted/internet/epoll",
            "/twisted/internet/posix",
            "/twisted/python/context",
        ),
    ),
    ("Deferreds and coroutines", ("/twisted/internet/defer", "/duoproxy/net/deadlines")),
    ("Duo: signatures, JSON, answers", ("/duoproxy/duoapi/",)),
    ("Duo: calls and connections", ("/duoproxy/net/duo_",)),
    ("RADIUS: socket, codec, duplicates", ("/duoproxy/radius/", "/duoproxy/net/")),
    ("login: flow and section", ("/duoproxy/",)),
)


def component(files: list[str]) -> tuple[str, str]:
    """Give the component of a stack (innermost file first), and the file that decided."""
    for file in files:
        for name, patterns in COMPONENTS:
            if any(pattern in file for pattern in patterns):
                return name, file
    return OTHER, files[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=4000, help="logins of the run (default 4000)")
    parser.add_argument("--in-flight", type=int, default=32, help="logins at once (default 32)")
    parser.add_argument("--files", type=int, default=15, help="how many single files to list (default 15)")
    options = parser.parse_args()
    core, other = cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples, port = folder / "samples.json", free_port()
        api = start_api(folder, other, push_s=0)
        with api.process, start_duoproxy(folder, port, core, api, None, profile=samples) as server:
            run = measure(server, core, other, folder, port, options.logins, options.in_flight)
        found = json.loads(samples.read_text("utf-8"))
    components: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for count, stack in found:
        name, file = component(stack)
        components[name] += count
        files[file] += count
    total = components.total()
    rows = [
        [name, f"{count / total:.1%}", f"{run.cpu_us * count / total:,.0f}"] for name, count in components.most_common()
    ]
    print_table(["component", "share", "µs a login"], [*rows, ["all", "100%", f"{run.cpu_us:,.0f}"]])
    rows = [
        [f"`{file.removeprefix(f'{ROOT}/').rpartition('site-packages/')[2]}`", f"{count / total:.1%}"]
        for file, count in files.most_common(options.files)
    ]
    print_table(["file", "share"], rows)
    print(f"{total} samples, {run.accepted} logins, {run.others_percent:.0f} % of the core taken by others")


if __name__ == "__main__":
    main()
