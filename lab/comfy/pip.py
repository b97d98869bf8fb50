"""Run pip in the project's environment and say in one sentence what went wrong."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.comfy.errors import HostError

UNREACHABLE = re.compile(
    r"NewConnectionError|Failed to establish a new connection|Name or service not known"
    r"|Temporary failure in name resolution|Connection refused|Network is unreachable"
    r"|ProxyError|ReadTimeout|ConnectTimeout|Connection reset"
)
NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")


def explain(output: str, what: str, log: Path) -> str:
    """The sentence for a failed pip run.

    output  everything pip wrote; `what` names what was being installed, `log` keeps the output.
    """
    if "No space left on device" in output:
        return f"The disk filled up while installing {what}: free some space and run again."
    if "DO NOT MATCH THE HASHES" in output:
        return (
            f"The checksum of {what} differs from the pinned one, so it was not used: the package "
            "index or a cache between it and this machine serves another file."
        )
    missing = NOT_FOUND.search(output)
    if UNREACHABLE.search(output) or (missing and "(from versions: none)" in output):
        return (
            f"pip reached no package index that offers {missing.group(1) if missing else what}: "
            "check the network connection and pip's settings (PIP_INDEX_URL, PIP_NO_INDEX), then "
            f"run again (details in {log})."
        )
    if missing:
        return (
            f"{missing.group(1)} is not offered for this Python: use an older one, for example "
            f"`rm -r .venv; make PYTHON=python3.12 host` (details in {log})."
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    last = errors[-1] if errors else (output.strip().splitlines() or ["no output"])[-1]
    return f"pip could not install {what}: {last} (details in {log})."


@dataclass(frozen=True)
class Pip:
    """The pip of one environment: its interpreter and the file its output is added to."""

    python: Path
    log: Path

    def __call__(self, what: str, *arguments: str) -> None:
        """Run `pip ARGUMENTS`; raises HostError naming `what` when it fails."""
        command = [str(self.python), "-m", "pip", *arguments, "--disable-pip-version-check"]
        # A pip configured to refuse or to use user folders would not fill this environment.
        environment = {
            k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PIP_USER", "PIP_TARGET")
        }
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
        if done.returncode:
            raise HostError(explain(done.stdout, what, self.log))
