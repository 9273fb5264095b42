"""Fuzz one target, or run one input again.

    python tests/fuzz/run.py                                     names the targets
    python tests/fuzz/run.py TARGET --seconds 60                 fuzzes; ends with 1 when something was found
    python tests/fuzz/run.py TARGET FILE …                       runs these inputs, without the fuzzer
    python tests/fuzz/run.py TARGET --base64 TEXT                runs the input that a failure printed
    python tests/fuzz/run.py TARGET --base64 TEXT --keep NAME    keeps it as a seed, too

What a target is, `fuzzer.py` says.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.fuzzer import HERE, fuzz, load_target, target_names


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=target_names())
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base64", type=base64.b64decode)
    parser.add_argument("--keep", metavar="NAME")
    asked = parser.parse_args()
    if asked.target is None:
        print("\n".join(target_names()))
        return 0
    inputs = [path.read_bytes() for path in asked.files] + ([] if asked.base64 is None else [asked.base64])
    if not inputs:
        return _fuzz(asked.target, asked.seconds, asked.seed)
    if asked.keep:
        seed = HERE / "corpus" / asked.target / asked.keep
        seed.parent.mkdir(parents=True, exist_ok=True)
        seed.write_bytes(inputs[-1])
    for octets in inputs:
        load_target(asked.target)(octets)
    print(f"{len(inputs)} inputs taken")
    return 0


def _fuzz(target: str, seconds: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        run = fuzz(target, Path(folder), seconds=seconds, seed=seed)
    if run.failure:
        print(run.failure)
    print(f"{run.target}: {run.executions} executions in {seconds} s, {run.coverage} edges")
    return 1 if run.failure else 0


if __name__ == "__main__":
    sys.exit(main())
