"""A whole configuration file against the sections of this installation: settings, or problems that can be printed."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path

from attrs import evolve

from duoproxy.config.validate import Catalogue, Configuration, Reach, load_configuration
from duoproxy.errors import ConfigError
from duoproxy.radius.dictionary import Dictionary, load_dictionary
from duoproxy.sections.registry import load_registry
from tests.fuzz.shaping import first_octet

REACHES = (Reach.SHELL, Reach.NOTHING, Reach.SERVICE)
MAX_PROBLEM_CHARACTERS = 2_000

# In memory where there is such a place: each input becomes a file.
_folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
atexit.register(_folder.cleanup)
FOLDER = Path(_folder.name)
(FOLDER / "secret").write_bytes(b"a secret\n")
OURS = load_dictionary()


def _dictionary(*files: Path) -> Dictionary:
    return load_dictionary(*files) if files else OURS


CATALOGUE: Catalogue = evolve(load_registry(()).catalogue, dictionary_loader=_dictionary)


@functools.cache
def _words() -> tuple[bytes, ...]:
    keys = {
        option.key(number) for schema in CATALOGUE.schemas.values() for option in schema.options for number in (1, 2)
    }
    names = [*CATALOGUE.schemas, *CATALOGUE.planned]
    return (
        *(f"[{name}]\n".encode() for name in names),
        *(f"{key} = ".encode() for key in sorted(keys)),
        *(
            b"10.0.0.0/8",
            b"true",
            b"file:secret",
            b"env:SECRET",
            b"credential:x",
            b"_protected",
            b"REPLACE_THIS",
            b"\n",
        ),
        *(b"radius_client", b"Calling-Station-Id", b"25461:7", b"latin-1", b"secure", b"push, phone", b"dictionary"),
    )


WORDS = _words()


def target(data: bytes) -> None:
    chosen, content = first_octet(data)
    if b"dictionary_file" in content:
        (FOLDER / "dictionary").write_bytes(content[-200:])
    path = FOLDER / "authproxy.cfg"
    path.write_bytes(content)
    try:
        configuration = load_configuration(
            path, CATALOGUE, environ={"SECRET": "another"}, reach=REACHES[chosen % len(REACHES)]
        )
    except ConfigError as error:
        assert any(problem.is_error for problem in error.problems)
        problems = error.problems
    else:
        _judge(configuration)
        problems = configuration.warnings
    for problem in problems:
        assert str(problem).isprintable(), str(problem)
        assert len(str(problem)) < MAX_PROBLEM_CHARACTERS, str(problem)
        assert problem.what
        assert problem.remedy


def _judge(configuration: Configuration) -> None:
    assert configuration.servers
    assert not any(problem.is_error for problem in configuration.warnings)
    names = {client.name for client in configuration.clients}
    for server in configuration.servers:
        assert server.client is None or server.client in names
        assert "a secret" not in repr(server.settings)
