"""Results as they are kept: Markdown to read, also in a terminal, and JSON to compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.bench import machine


class Results:
    """Collects one bench's text and figures, prints the text as it comes, saves both."""

    def __init__(self, name: str, title: str, facts: dict[str, Any]):
        self.name = name
        self.data: dict[str, Any] = {"machine": facts}
        self._parts: list[str] = []
        self.say(f"## {title}\n\n{machine.in_words(facts)}")

    def say(self, text: str) -> None:
        self._parts.append(text)
        print(text, end="\n\n", flush=True)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.md").write_text("\n\n".join(self._parts) + "\n", encoding="utf-8")
        figures = json.dumps(self.data, indent=1)
        (folder / f"{self.name}.json").write_text(figures + "\n", encoding="utf-8")


def record(folder: Path, out: Path, benches: Sequence[str]) -> None:
    """Put the Markdown of some benches' results in a folder into one file."""
    made = sorted(path for name in benches for path in folder.glob(f"{name}*.md"))
    parts = [path.read_text(encoding="utf-8") for path in made]
    title = "# Results\n\nWritten by `python -m lab.bench --record`; README.md explains them.\n"
    out.write_text("\n".join((title, *parts)), encoding="utf-8")


def limit(what: str, value: float, most: float, unit: str) -> str:
    """A line that says whether a figure keeps its limit."""
    verdict = "kept" if value <= most else "MISSED"
    return f"- {what}: {value:.3g} {unit}, limit {most:g} {unit}: {verdict}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table with columns padded to equal width."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
