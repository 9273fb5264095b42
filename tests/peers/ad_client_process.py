"""The [ad_client…] sections of a configuration without a server in front, as a process: questions in, answers out.

`ad_client_process.py CONFIGURATION` reads a JSON list a line, `[number, section, user, password]`, and writes
`[number, accepted, reason, unreachable]`. A RADIUS request carries 253 octets of name; here there is no such end.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from duoproxy.config.validate import load_configuration
from duoproxy.errors import PrimaryUnreachable
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection, Environment
from duoproxy.sections.registry import load_registry

reactor: Any = installed_reactor

READY = [0, True, "ready", False]


def main(path: Path) -> None:
    """Serve until the input ends."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    registry = load_registry()
    configuration = load_configuration(path, registry.catalogue)
    sections: dict[str, ClientSection] = {}
    for configured in configuration.clients:
        environment = Environment(
            configured.name, reactor, os.urandom, configuration.dictionary, lambda _: None, configuration.main
        )
        section = registry.classes[configured.kind](configured.settings, environment)
        assert isinstance(section, ClientSection)
        sections[configured.name] = section

    async def start() -> None:
        for section in sections.values():
            await section.start()
        _write(READY)
        threading.Thread(target=_read, args=(sections,), daemon=True).start()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(start()))
    reactor.run()


def _read(sections: dict[str, ClientSection]) -> None:
    for line in sys.stdin:
        reactor.callFromThread(_ask, sections, *json.loads(line))
    reactor.callFromThread(reactor.stop)


def _ask(sections: dict[str, ClientSection], number: int, name: str, user: str, password: str) -> None:
    async def ask() -> None:
        request = LoginRequest(str(number), user, Secret(password), "127.0.0.1", None, "test")
        try:
            outcome = await sections[name].authenticate(request)
        except PrimaryUnreachable as fault:
            _write([number, False, str(fault), True])
        else:
            _write([number, outcome.accepted, outcome.reason, False])

    asking = Deferred.fromCoroutine(ask())
    asking.addErrback(lambda failure: _write([number, False, f"fault: {failure.value!r}", False]))


def _write(answer: list[Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
