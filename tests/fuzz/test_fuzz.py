"""Every decoder under coverage-guided fuzzing (atheris): a value or our error, in bounded time and memory.

Each run of CI fuzzes every target for a few seconds from the same seed; `make long` for minutes from another one each
time. A failure prints the input and the command that runs it again.
"""

from __future__ import annotations

import gc
import importlib.util
import os
from pathlib import Path

import pytest

from tests.fuzz.fuzzer import HERE, fuzz, load_target, seeds_of, target_names
from tests.fuzz.seeds import all_seeds
from tests.peers.peer import Absence, meaning_of_absence

SECONDS = 3
LONG_SECONDS = 120
SEED = 1
TARGETS = target_names()


@pytest.fixture
def _atheris() -> None:
    """Skip or fail where the fuzzer is not installed."""
    if importlib.util.find_spec("atheris") is not None:
        return
    reason = "atheris is not installed (setup.cfg, extra `dev`, says where it can be)"
    if meaning_of_absence(os.environ) is Absence.FAILURE:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def is_without_fault(target: str, folder: Path, seconds: int, seed: int) -> None:
    run = fuzz(target, folder, seconds=seconds, seed=seed)
    if run.failure:
        pytest.fail(run.failure, pytrace=False)
    assert run.executions > 10 * len(seeds_of(target)), "the fuzzer hardly came to try anything"
    assert run.coverage > 0, "the fuzzer saw nothing of the code"
    print(f"{target}: {run.executions} executions, {run.coverage} edges")


# Two classes, because a class stays on one worker of pytest-xdist.
@pytest.mark.usefixtures("_atheris")
class TestOneHalf:
    @pytest.mark.parametrize("target", TARGETS[0::2])
    def test_decoder_gives_a_value_or_our_error(self, target: str, tmp_path: Path) -> None:
        """Issue §8: each decoder under a short coverage-guided run."""
        is_without_fault(target, tmp_path, SECONDS, SEED)

    @pytest.mark.long
    @pytest.mark.parametrize("target", TARGETS[0::2])
    def test_decoder_gives_a_value_or_our_error_for_long(self, target: str, tmp_path: Path) -> None:
        """The same for minutes, elsewhere each time."""
        is_without_fault(target, tmp_path, LONG_SECONDS, 0)


@pytest.mark.usefixtures("_atheris")
class TestOtherHalf:
    @pytest.mark.parametrize("target", TARGETS[1::2])
    def test_decoder_gives_a_value_or_our_error(self, target: str, tmp_path: Path) -> None:
        """Issue §8: each decoder under a short coverage-guided run."""
        is_without_fault(target, tmp_path, SECONDS, SEED)

    @pytest.mark.long
    @pytest.mark.parametrize("target", TARGETS[1::2])
    def test_decoder_gives_a_value_or_our_error_for_long(self, target: str, tmp_path: Path) -> None:
        """The same for minutes, elsewhere each time."""
        is_without_fault(target, tmp_path, LONG_SECONDS, 0)


@pytest.mark.usefixtures("_atheris")
class TestFuzzer:
    def test_undocumented_exception_is_found_with_its_input(self, tmp_path: Path) -> None:
        """The failure has the traceback, the input, and the command that runs it again."""
        run = fuzz("tests.fuzz.faulty.raises", tmp_path, seconds=20, seed=SEED)
        assert "KeyError: 'not one of our errors'" in run.failure
        assert r"b'\xff\x80" in run.failure
        assert "run.py tests.fuzz.faulty.raises --base64 /4" in run.failure

    def test_input_that_takes_too_long_is_found(self, tmp_path: Path) -> None:
        """Bounded time: an input has seconds, and the failure says where it stood."""
        run = fuzz("tests.fuzz.faulty.hangs", tmp_path, seconds=20, seed=SEED, input_timeout_s=1)
        assert "libFuzzer: timeout" in run.failure
        assert "hangs.py" in run.failure
        assert "octets: b'H" in run.failure

    def test_growing_memory_is_found(self, tmp_path: Path) -> None:
        """Bounded memory: a target has a limit."""
        run = fuzz("tests.fuzz.faulty.grows", tmp_path, seconds=20, seed=SEED, memory_mib=256)
        assert "libFuzzer: out-of-memory" in run.failure


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_taken(target: str) -> None:
    """Inputs that once broke something, and everyday ones, also where there is no fuzzer."""
    gc.collect()  # what earlier tests left behind must not speak up in our log
    run = load_target(target)
    seeds = seeds_of(target)
    assert seeds
    for seed in seeds:
        run(seed.read_bytes())


def test_seeds_are_those_that_are_made() -> None:
    """`python tests/fuzz/seeds.py` was run after a change of it; every folder of seeds has its target."""
    for target, seeds in all_seeds().items():
        for name, octets in seeds.items():
            assert (HERE / "corpus" / target / name).read_bytes() == octets, f"{target}/{name}: run tests/fuzz/seeds.py"
    assert sorted(folder.name for folder in (HERE / "corpus").iterdir()) == TARGETS
