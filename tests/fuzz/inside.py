"""The process in which one target is fuzzed; libFuzzer ends it. `fuzzer.py` starts it and reads what it prints.

Its arguments: the name of the target, then those of libFuzzer.
"""

from __future__ import annotations

import sys

import atheris

from tests.fuzz.fuzzer import load_target

# Where another's code does the reading on our behalf, its branches guide the search, too.
READERS = {
    "duo_date": ["email"],
    "http_answer": ["twisted.web._newclient"],
    "sandbox_signature": ["email", "urllib.parse"],
}


def main() -> None:
    """Fuzz; our own modules are instrumented, and those of `READERS`."""
    name, *arguments = sys.argv[1:]
    # What a text is compared with guides the search, too. The hook for expressions replaces `re` with less than it is.
    atheris.enabled_hooks.add("str")
    with atheris.instrument_imports(include=["duoproxy", *READERS.get(name, [])], enable_loader_override=False):
        target = load_target(name)
    atheris.Setup([name, *arguments], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
