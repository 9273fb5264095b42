"""Where the proxy's time goes in a two-factor login, by component.

The proxy samples its own stack each 2 ms of CPU; `kit/profile.py` says to which component a sample belongs.

    PYTHONPATH=. python bench/login_profile.py [--logins 4000] [--in-flight 32] [--files 15]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from bench.kit.competition import measure, start_api, start_duoproxy
from bench.kit.processes import cores, free_port
from bench.kit.profile import print_profile


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
    print_profile(found, run.cpu_us, options.files)
    total = sum(count for count, _ in found)
    print(f"{total} samples, {run.accepted} logins, {run.others_percent:.0f} % of the core taken by others")


if __name__ == "__main__":
    main()
