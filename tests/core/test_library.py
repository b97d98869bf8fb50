"""The core as a library: its wheel, its command, its examples."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from runs import plan_of

import ralu_core
from ralu_core.__main__ import main
from ralu_core.plans import named_plan, names

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "core.py"
PACKAGED = ("pyproject.toml", "README.md", "LICENSE")
FLUX_7X = ["FLUX 7x", "--shift", "3.16", "--size", "1024"]


def modules() -> list[str]:
    found = pkgutil.walk_packages(ralu_core.__path__, "ralu_core.")
    return ["ralu_core", *(module.name for module in found)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as building leaves files beside the sources."""
    pytest.importorskip("setuptools")
    tree, made = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGED:
        shutil.copy(ROOT / name, tree)
    for name in ("ralu_core", "nodes", "tests/core"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(made)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (file,) = made.glob("*.whl")
    return file


def test_the_wheel_holds_the_core_and_nothing_else(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in held if ".dist-info/" not in name}
    sources = [*(ROOT / "ralu_core").rglob("*.py"), ROOT / "ralu_core" / "py.typed"]
    assert packed == {str(path.relative_to(ROOT)) for path in sources}
    (top,) = (name for name in held if name.endswith("top_level.txt"))
    assert zipfile.ZipFile(wheel).read(top).decode().split() == ["ralu_core"]


def test_the_installed_core_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)

    def run(*arguments: str) -> str:
        """What a Python prints that finds the wheel's files and no checkout."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    find = "from importlib.util import find_spec as find; print(find('nodes'))"
    assert run("-c", f"{find}; print(find('ralu_core').origin)").split() == [
        "None",
        str(site / "ralu_core" / "__init__.py"),
    ]
    assert run("-m", "ralu_core", *FLUX_7X) == main(FLUX_7X) + "\n"


def test_the_command_prints_a_plan() -> None:
    first, matching, *stages, last = main(FLUX_7X).splitlines()
    assert first == "FLUX 7x: 10 steps, early regions 10%"
    assert matching.startswith("model shift 3.16, JS distance 0.0")
    assert [line.rsplit(", ", 1)[1] for line in stages] == [
        "1024 tokens",
        "1330 tokens",
        "4096 tokens",
    ]
    assert last.startswith("predicted at 1024x1024: ") and last.endswith("than 50 plain steps")


@pytest.mark.parametrize("name", names())
def test_the_command_knows_every_plan(name: str) -> None:
    text = main([name, "--shift", "2", "--size", "512", "--steps", "20"])
    assert text.endswith("than 20 plain steps")
    alone = main([name])
    assert alone.splitlines()[0] == text.splitlines()[0]
    published = named_plan(name).baseline_steps or 20
    assert alone.endswith(f"than {published} plain steps")


@pytest.mark.parametrize(
    ("steps", "told"),
    [(30, "1.50x fewer"), (20, "1.00x fewer"), (10, "2.00x more"), (1, "20.00x more")],
)
def test_the_command_says_what_is_saved(steps: int, told: str) -> None:
    """Of 20 plain steps."""
    plural = "s" if steps > 1 else ""
    wanted = f": {told} model FLOPs than {steps} plain step{plural}"
    assert main(["plain", "--steps", str(steps)]).endswith(wanted)


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["FLUX 6x"], r"(?s)must be one of FLUX 5x;\nFLUX.*;\ntwo sizes;\n.*; got 'FLUX 6x'\.$"),
        (["FLUX 7x", "--shift", "0"], "Model shift must be above 0"),
        (["plain", "--shift", "0"], "Model shift must be above 0"),
        (["two sizes", "--shift", "-1"], "Model shift must be above 0"),
        (["FLUX 7x", "--steps", "0"], "--steps must lie between 1 and 1000, got 0: "),
        (["FLUX 7x", "--size", "32"], "more than 32 pixels each way"),
        (["FLUX 7x", "--steps", "1001"], "--steps must lie .*, got 1001: "),
        (["FLUX 7x", "--blocks", "0"], "1 block or more, .* got 0, 3072 and 256: FLUX.1 has"),
        (["FLUX 7x", "--blocks", "-57"], "1 block or more, .* got -57, 3072 and 256"),
        (["FLUX 7x", "--width", "0"], "a width of 1 or more, .* got 57, 0 and 256"),
        (["FLUX 7x", "--text", "-5000"], "0 text tokens or more, got 57, 3072 and -5000"),
    ],
)
def test_the_command_refuses_in_a_sentence(arguments: list[str], phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        main(arguments)


def test_the_command_tells_order_and_guidance() -> None:
    name = "early second order 7, guided above 0.7"
    guided, bare = main([name, "--shift", "3"]).splitlines()[1:3]
    assert guided.startswith("stage 1: 5 steps of second order, sigma 1.0000 to ")
    assert "guidance" not in guided and bare.endswith(", without guidance, 4096 tokens")
    assert not any("order" in line for line in main(FLUX_7X).splitlines()[2:-1])


@pytest.mark.parametrize(("flags", "told"), [([], "2.86x"), (["--guided"], "3.33x")])
def test_a_second_call_for_guidance_counts(flags: list[str], told: str) -> None:
    """Of 20 steps of two calls, against five of two calls and two of one."""
    name = "early second order 7, guided above 0.7"
    assert f": {told} fewer model FLOPs" in main([name, "--shift", "3", *flags])


def test_the_help_lists_the_plans_and_whose_numbers_the_defaults_are(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines[lines.index("plans:") + 1 :]] == names()
    assert "".join(lines).count("FLUX.1-dev's") == 3


def test_a_refusal_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ralu_core", "FLUX 6x"])
    monkeypatch.delitem(sys.modules, "ralu_core.__main__")
    with pytest.raises(SystemExit, match=r"^A plan must be one of"):
        runpy.run_module("ralu_core", run_name="__main__")


def test_what_the_core_exports_is_there() -> None:
    assert all(hasattr(ralu_core, name) for name in ralu_core.__all__)


def test_the_documentation_of_the_core_is_right() -> None:
    ran = [doctest.testmod(importlib.import_module(name)) for name in modules()]
    assert sum(result.failed for result in ran) == 0
    assert sum(result.attempted for result in ran) >= 5


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    made = runpy.run_path(str(EXAMPLE))
    assert made["result"].x.isfinite().all()
    assert capsys.readouterr().out == "(1024, 1330, 4096) (1, 16, 128, 128)\n"


def test_the_docs_show_the_example() -> None:
    assert f"```python\n{EXAMPLE.read_text()}```\n" in (ROOT / "docs" / "core.md").read_text()


def test_a_plan_is_named_as_people_know_it() -> None:
    assert plan_of().name == "RALU" and ralu_core.PLANS["plain"](3.0).name == "plain"
