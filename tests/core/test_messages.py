"""What stops a run is one sentence with a way out, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ERRORS = {"ValueError", "RuntimeError", "ImportError"}
OPTIONS = "must be one of"  # a list of what can be chosen is the way out


def refusals() -> Iterator[tuple[str, str]]:
    """Where each error is raised, and its text with {} for every value in it."""
    for folder in ("nodes", "ralu_core"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    assert isinstance(node.exc.func, ast.Name) and node.exc.func.id in ERRORS
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text_of(node.exc.args[0])


def text_of(message: ast.expr) -> str:
    if isinstance(message, ast.JoinedStr):
        return "".join(text_of(part) for part in message.values)
    return str(message.value) if isinstance(message, ast.Constant) else "{}"


REFUSALS = dict(refusals())


def test_the_pack_refuses() -> None:
    assert len(REFUSALS) > 40 and any(place.startswith("ralu_core") for place in REFUSALS)


@pytest.mark.parametrize("place", [place for place in REFUSALS if place.startswith("ralu_core")])
def test_the_core_speaks_of_no_host(place: str) -> None:
    hosts = r"\b(nodes?|widgets?|wires?|sockets?|connect|workflow|ComfyUI)\b"
    assert not re.search(hosts, REFUSALS[place], re.IGNORECASE)


@pytest.mark.parametrize("place", REFUSALS)
def test_it_is_one_sentence(place: str) -> None:
    text = REFUSALS[place]
    assert text.endswith(".") and ". " not in text


@pytest.mark.parametrize("place", [place for place in REFUSALS if "KSampler" in REFUSALS[place]])
def test_a_plain_sampler_is_named_alike(place: str) -> None:
    """The node RALU, behind which there is one, then advises something else (`way_out.py`)."""
    way_out = "use a KSampler|KSamplerSelect"
    assert re.search(way_out, REFUSALS[place])


@pytest.mark.parametrize("place", REFUSALS)
def test_it_ends_with_a_way_out(place: str) -> None:
    text = REFUSALS[place]
    rule, found, way_out = text.rpartition(": ")
    if not found:
        rule, found, way_out = text.rpartition("; ")
    # What is refused in several places takes its way out from each of them.
    assert OPTIONS in text or (rule and (way_out == "{}." or len(way_out.split()) > 1))
