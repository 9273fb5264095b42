"""Coverage-guided fuzzing of one target in a process of its own, within bounds, and what came of it.

A target is a file in `targets/` with a function `target(data)` that takes any octets and lets no exception pass: what
the decoder may raise it catches, what must hold of its result it asserts. `WORDS`, if the file has it, are octets that
the decoder knows, for libFuzzer to put in. Seeds stand in `corpus/TARGET/`, one input a file.
"""

from __future__ import annotations

import base64
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from attrs import frozen

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

INPUT_TIMEOUT_S = 5
"""No input may take longer."""
MEMORY_MIB = 1024
"""No target may need more, the interpreter and Twisted included."""
GRACE_S = 60
"""For the interpreter to start, the seeds to be run and the last input to end."""
SHOWN_LINES = 60

Target = Callable[[bytes], None]


@frozen
class Run:
    """What came of fuzzing one target.

    Attributes:
        target: its name.
        executions: inputs that were run.
        coverage: edges of instrumented code that were reached.
        failure: empty, or all that is needed to find the fault: the traceback, the input, how to run it again.
    """

    target: str
    executions: int
    coverage: int
    failure: str


def target_names() -> list[str]:
    """Name all targets."""
    return sorted(path.stem for path in (HERE / "targets").glob("*.py"))


def load_target(name: str) -> Target:
    """Import a target, by its name in `targets/` or as a module."""
    target: Target = _module(name).target
    return target


def seeds_of(name: str) -> list[Path]:
    """List the seeds of a target."""
    return sorted((HERE / "corpus" / name).iterdir())


def fuzz(
    name: str,
    folder: Path,
    *,
    seconds: int,
    seed: int = 0,
    input_timeout_s: int = INPUT_TIMEOUT_S,
    memory_mib: int = MEMORY_MIB,
) -> Run:
    """Fuzz a target until it fails or the time is over.

    Args:
        name: of the target.
        folder: an empty one, for new inputs and those that fail.
        seconds: how long.
        seed: of the random numbers; the same one gives the same inputs, as far as the time allows; 0: another each run.
        input_timeout_s: an input that takes longer is a failure.
        memory_mib: an input that needs more is a failure.
    """
    found, failed = folder / "corpus", folder / "failed"
    for each in (found, failed):
        each.mkdir(parents=True)
    arguments = [
        *(f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={input_timeout_s}", f"-rss_limit_mb={memory_mib}"),
        *("-print_final_stats=1", f"-artifact_prefix={failed}/"),
        *_words(name, folder),
        str(found),
        *([str(HERE / "corpus" / name)] if (HERE / "corpus" / name).is_dir() else []),
    ]
    status, output = _run(name, arguments, seconds + input_timeout_s + GRACE_S)
    failure = "" if status == 0 else _report(name, status, output, sorted(failed.iterdir()))
    return Run(
        name, _last_number(r"number_of_executed_units: +(\d+)", output), _last_number(r" cov: (\d+)", output), failure
    )


def _module(name: str) -> ModuleType:
    return importlib.import_module(name if "." in name else f"tests.fuzz.targets.{name}")


def _run(name: str, arguments: list[str], limit_s: float) -> tuple[int, str]:
    """Run `inside`; gives its exit status and what it printed."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.inside", name, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode("utf-8", "replace") + f"\nnot over after {limit_s:.0f} s, and killed\n"
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _words(name: str, folder: Path) -> list[str]:
    """Write the words of a target as a dictionary of libFuzzer."""
    words: tuple[bytes, ...] = getattr(_module(name), "WORDS", ())
    if not words:
        return []
    path = folder / "words"
    path.write_text("".join('"' + "".join(f"\\x{octet:02x}" for octet in word) + '"\n' for word in words))
    return [f"-dict={path}"]


def _last_number(pattern: str, output: str) -> int:
    return max((int(number) for number in re.findall(pattern, output)), default=0)


def _report(name: str, status: int, output: str, inputs: list[Path]) -> str:
    lines = [line for line in output.splitlines() if not line.startswith(("INFO:", "#", "WARNING: Failed to find"))]
    parts = [f"target {name} ended with status {status}", *lines[-SHOWN_LINES:]]
    for path in inputs:
        octets = path.read_bytes()
        parts += [
            f"{path.name.partition('-')[0]}, {len(octets)} octets: {octets[:500]!r}",
            f"again: python tests/fuzz/run.py {name} --base64 {base64.b64encode(octets).decode('ascii')}",
            "once it is mended, keep it as a seed: the same with --keep NAME",
        ]
    return "\n".join(parts)
