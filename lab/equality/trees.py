"""Another commit's tree on disk, and the processes that run the cases on both."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.comfy import HostError

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """A detached worktree of the commit, removed afterwards in any case."""
    with tempfile.TemporaryDirectory(prefix="ralu-base-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise HostError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def run_cases(
    trees: dict[Path, Path], version: str, patterns: Sequence[str], jobs: int = 1
) -> None:
    """One fresh process for each tree -> folder of its results; `jobs` of them at once."""
    waiting, running = list(trees.items()), []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(*waiting.pop(0), version, patterns))
            if running[0].wait():
                raise HostError(f"The cases in ComfyUI {version} failed: see the lines above.")
            running.pop(0)
    finally:
        for process in running:
            process.kill()
            process.wait()


def _start(tree: Path, out: Path, version: str, patterns: Sequence[str]) -> subprocess.Popen:
    out.mkdir(parents=True)
    asked = ["--tree", str(tree), "--version", version, "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("COMFYUI_PATH", None)  # the versions are the pinned ones
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "lab.equality.worker",
        *asked,
        "--only",
        *patterns,
    ]
    return subprocess.Popen(command, cwd=ROOT, env=environment)
