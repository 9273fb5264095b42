"""authproxy_connectivity_tool as a process, on a file that a test writes; its output as its user reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.proxy import Sections, proxy_environment, write_configuration

TOOL_S = 90.0
RULE = "[info]  " + "-" * 29


@dataclass(frozen=True)
class ToolRun:
    """What a run of the tool came to.

    Attributes:
        status: its exit status.
        text: standard output.
        errors: standard error.
        log: the file that it has written; empty when there is none.
    """

    status: int
    text: str
    errors: str
    log: str

    def tested(self, section: str) -> list[str]:
        """Give the lines of the second pass over a section: what was found, and the verdict."""
        blocks = self.text.split(f"[info]  Testing section '{section}' with configuration:\n")
        assert len(blocks) == 3, self.text
        lines = blocks[2].split(RULE)[0].splitlines()
        end = next(number for number, line in enumerate(lines) if line.endswith("}"))
        return lines[end + 1 :]

    def summary(self) -> list[str]:
        """Give the lines from SUMMARY on."""
        lines = self.text.splitlines()
        return lines[lines.index("[info]  SUMMARY") + 1 :]

    def json(self) -> Any:
        """Read standard output as JSON."""
        return json.loads(self.text)


def run_tool(configuration: Path, *options: str) -> ToolRun:
    """Run the tool on a file."""
    command = [sys.executable, "-c", "from duoproxy.tools.connectivity import main; main()", "-c", str(configuration)]
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        timeout=TOOL_S,
        check=False,
        env={"PATH": "/usr/bin:/bin", **proxy_environment()},
    )
    log = configuration.parent / "log" / "connectivity_tool.log"
    return ToolRun(done.returncode, done.stdout, done.stderr, log.read_text() if log.exists() else "")


def tool_on(folder: Path, sections: Sections, *options: str) -> ToolRun:
    """Write a configuration and run the tool on it."""
    (folder / "log").mkdir(parents=True, exist_ok=True)
    return run_tool(write_configuration(folder, sections), *options)


def masked(text: str, values: Sequence[tuple[object, str]]) -> str:
    """Replace what differs from run to run: the given values, and times."""
    for value, name in values:
        text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(str(value))}(?![0-9A-Za-z])", name, text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", "TIME", text)
