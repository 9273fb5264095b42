"""A headless Chromium that a test drives: the DevTools protocol over two pipes, so that no port is opened."""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0
POLL_S = 0.1
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--ignore-certificate-errors",
    "--remote-debugging-pipe",
)

# The protocol's pipes are descriptors 3 and 4 of the browser.
LAUNCHER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)


class Page:
    """One page in a browser of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        to_browser_r, to_browser_w = os.pipe()
        from_browser_r, from_browser_w = os.pipe()
        pipes = [str(to_browser_r), str(from_browser_w)]
        command = [sys.executable, "-c", LAUNCHER, *pipes, program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        with (folder.parent / "chromium.output").open("wb") as output:
            self._process = subprocess.Popen(
                command, pass_fds=(to_browser_r, from_browser_w), stdout=output, stderr=output, start_new_session=True
            )
        os.close(to_browser_r)
        os.close(from_browser_w)
        self._write, self._read = to_browser_w, from_browser_r
        self._numbers = itertools.count(1)
        self._received = b""
        self._session = ""

    def attach(self) -> None:
        """Wait until the browser has its first page, and talk to that."""
        target = next(one for one in self._call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]

    def open(self, url: str) -> None:
        """Go to an address."""
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page; give its value."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script: str, what: str) -> Any:
        """Poll until an expression is true; give its value."""
        end = time.monotonic() + DEADLINE_S
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"not within {DEADLINE_S:g} s: {what}: {self.run('document.body.innerText')}"
            time.sleep(POLL_S)
        return value

    def press(self, element: str) -> None:
        """Press the mouse on an element (an expression), as a hand would: what covers it gets the click instead."""
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        box = self.run(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({element}.getBoundingClientRect())"
        )
        where = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, **where)

    def close(self) -> None:
        """End the browser."""
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(DEADLINE_S)

    def _call(self, method: str, **parameters: object) -> Any:
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._next_message())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next_message(self) -> bytes:
        end = time.monotonic() + DEADLINE_S
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"Chromium said nothing for {DEADLINE_S:g} s"
            read = os.read(self._read, 65536)
            assert read, "Chromium ended"
            self._received += read
        message, _, self._received = self._received.partition(b"\0")
        return message
