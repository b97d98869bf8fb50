"""What may import what, and how large things may grow, read from the sources."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES = 300
FUNCTION_LINES = 60

# What the files of a folder may import besides their own: an entry stands for all below it. A file
# belongs to the longest line that it fits.
CORE_FOLDERS = {
    "ralu_core/latents": (),
    "ralu_core/growth": ("ralu_core/latents",),
    "ralu_core/scores": ("ralu_core/latents",),
    "ralu_core/crossings": ("ralu_core/latents", "ralu_core/growth"),
    "ralu_core/plans": ("ralu_core/latents", "ralu_core/growth", "ralu_core/crossings"),
    "ralu_core": ("ralu_core",),
}
FAMILIES, SAMPLING = "nodes/host/families", "nodes/host/sampling"
NODE_FOLDERS = {
    FAMILIES: ("ralu_core",),
    SAMPLING: ("ralu_core", FAMILIES),
    "nodes/host/showing": ("ralu_core", FAMILIES, SAMPLING),
    "nodes/host/enlarger": ("ralu_core", FAMILIES, SAMPLING),
    "nodes/host/temporal": ("ralu_core", FAMILIES, f"{SAMPLING}/arguments", f"{SAMPLING}/keys"),
    "nodes/host/lettering": ("ralu_core", FAMILIES, SAMPLING),
    "nodes/host": (
        "ralu_core",
        FAMILIES,
        SAMPLING,
        "nodes/host/showing",
        "nodes/host/enlarger",
        "nodes/host/lettering",
    ),
    "nodes": ("ralu_core", "nodes"),
}
OUTERMOST = {"ralu_core", "nodes/host", "nodes"}
CORE_LIBRARIES = {"torch", "numpy", "scipy", "kornia", "cv2", *sys.stdlib_module_names}
OWN_NAMES = {"nodes", "ralu_core", "lab", "tests"}
# What each folder of the lab may import: folders above it.
LAB = {
    "comfy": (),
    "models": ("comfy",),
    "bench": ("comfy", "models"),
    "equality": ("comfy", "models"),
    "quality": ("comfy", "models", "bench"),
    "real": ("comfy", "models", "bench"),
    "showcase": ("comfy", "models", "bench"),
    "templates": ("comfy", "models", "showcase"),
}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "subprocess", "ctypes"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}


def sources(*folders: str) -> list[Path]:
    """Python files of the named top-level folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


FOLDERS = {**CORE_FOLDERS, **NODE_FOLDERS}

CORE = sources("ralu_core")
PACK = [ROOT / "__init__.py", *sources("nodes"), *CORE]
COMMANDS = {"__main__"}  # modules that people run, which may print


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> tuple[str, ...]:
    """nodes/host/run.py -> ("nodes", "host", "run"); a package ends in "__init__"."""
    return path.relative_to(ROOT).with_suffix("").parts


MODULES = {module_of(path) for path in PACK}


def absolute_imports(tree: ast.AST) -> Iterator[str]:
    """Top-level names of absolute imports, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


def relative_imports(
    tree: ast.AST, module: tuple[str, ...], modules: set[tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Modules of the pack that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= len(module), f"{module} imports from above the pack"
            base = module[: -node.level] + tuple((node.module or "").split("."))
            base = tuple(part for part in base if part)
            for alias in node.names:
                places = [(*base, alias.name), base, (*base, "__init__")]
                found = next((place for place in places if place in modules), None)
                assert found, f"{module} imports {'.'.join(base)}, which is not in the pack"
                yield found


def lab_imports(tree: ast.AST) -> Iterator[str]:
    """Folders of the lab that a module imports, also inside functions."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("lab."))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports_in_pack(path: Path) -> set[tuple[str, ...]]:
    return set(relative_imports(parse(path), module_of(path), MODULES))


def test_imports_are_read_right() -> None:
    modules = {("a", "__init__"), ("a", "b"), ("a", "c", "__init__"), ("a", "c", "d"), ("e",)}
    text = "from . import b\nfrom .c import x\ndef f():\n  from .c.d import y\n  from ..e import z"
    found = set(relative_imports(ast.parse(text), ("a", "b"), modules))
    assert found == {("a", "b"), ("a", "c", "__init__"), ("a", "c", "d"), ("e",)}
    text = "import os.path, numpy as np\nfrom torch.nn import functional\nfrom . import b"
    assert set(absolute_imports(ast.parse(text))) == {"os", "numpy", "torch"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_knows_no_host(path: Path) -> None:
    assert set(absolute_imports(parse(path))) <= CORE_LIBRARIES - OWN_NAMES
    assert {module[0] for module in imports_in_pack(path)} <= {"ralu_core"}


def folder_of(module: tuple[str, ...]) -> str | None:
    """The line of FOLDERS that a module belongs to; None for the pack's own `__init__`."""
    parents = ["/".join(module[:n]) for n in range(len(module) - 1, 0, -1)]
    return next((parent for parent in parents if parent in FOLDERS), None)


def lies_below(module: tuple[str, ...], folder: str) -> bool:
    """Whether a module is that file, or lies in that folder or below it."""
    return "/".join((*module, "")).startswith(f"{folder}/")


@pytest.mark.parametrize("path", PACK, ids=name_of)
def test_folders_import_what_their_line_allows(path: Path) -> None:
    folder = folder_of(module_of(path))
    for imported in imports_in_pack(path):
        own = folder is None or folder_of(imported) == folder
        assert own or any(lies_below(imported, one) for one in FOLDERS[folder]), imported


def test_no_folder_imports_one_that_imports_it() -> None:
    graph: dict[str, set[str]] = {folder: set() for folder in FOLDERS}
    for path in PACK:
        folder = folder_of(module_of(path))
        if folder is not None:
            graph[folder] |= {found for one in imports_in_pack(path) if (found := folder_of(one))}
    for folder, imported in graph.items():
        imported.discard(folder)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"folder cycle: {error.args[1]}")


def test_every_folder_has_a_line() -> None:
    """One below the families, say, goes by their line; a new one beside them needs its own."""
    for path in PACK:
        folder = "/".join(module_of(path)[:-1])
        assert folder in FOLDERS or folder_of(module_of(path)) not in OUTERMOST, folder


def test_a_file_belongs_to_its_longest_line() -> None:
    assert folder_of(("ralu_core", "latents", "flow")) == "ralu_core/latents"
    assert folder_of(("ralu_core", "scores", "more", "x")) == "ralu_core/scores"
    assert (
        folder_of(("ralu_core", "sampler")) == folder_of(("ralu_core", "__init__")) == "ralu_core"
    )
    assert folder_of(("__init__",)) is None
    assert lies_below(("ralu_core", "growth", "__init__"), "ralu_core/growth")
    assert lies_below(("ralu_core", "sampler"), "ralu_core")
    assert not lies_below(("ralu_core", "growths", "x"), "ralu_core/growth")


@pytest.mark.parametrize("path", PACK, ids=name_of)
def test_imports_inside_the_pack_are_relative(path: Path) -> None:
    """The host loads the folder under a name of its own; its own `nodes` is another module."""
    assert not set(absolute_imports(parse(path))) & OWN_NAMES


def test_the_pack_starts_at_its_nodes() -> None:
    assert {module[0] for module in imports_in_pack(ROOT / "__init__.py")} == {"nodes"}
    assert all(len(module) == 2 for module in imports_in_pack(ROOT / "__init__.py"))


def test_imports_make_no_cycle() -> None:
    graph = {module_of(path): imports_in_pack(path) for path in PACK}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {error.args[1]}")
    assert set(order) == MODULES


def test_the_lab_is_made_of_these_folders() -> None:
    files = sources("lab")
    assert {path.relative_to(ROOT).parts[1] for path in files} == {*LAB, "__init__.py"}
    text = "import lab.a.b\nfrom lab import c\ndef f():\n  from lab.d.e import g\n  import labels"
    assert list(lab_imports(ast.parse(text))) == ["a", "c", "d"]
    places = list(LAB)
    assert all(places.index(one) < places.index(name) for name in LAB for one in LAB[name])


@pytest.mark.parametrize("folder", LAB)
def test_the_lab_depends_in_one_direction(folder: str) -> None:
    for path in sources(f"lab/{folder}"):
        assert set(lab_imports(parse(path))) <= {folder, *LAB[folder]}, path


@pytest.mark.parametrize("path", PACK, ids=name_of)
def test_opencv_is_imported_where_it_is_used(path: Path) -> None:
    top_level = ast.Module([node for node in parse(path).body if is_import(node)], [])
    assert "cv2" not in absolute_imports(top_level)


def is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize("path", PACK, ids=name_of)
def test_the_pack_runs_no_code_from_outside(path: Path) -> None:
    tree = parse(path)
    assert not set(absolute_imports(tree)) & UNSAFE_MODULES
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & UNSAFE_CALLS


@pytest.mark.parametrize("path", PACK, ids=name_of)
def test_the_pack_keeps_no_state_and_logs(path: Path) -> None:
    nodes = list(ast.walk(parse(path)))
    assert not any(isinstance(node, ast.Global) for node in nodes)
    prints = any(isinstance(node, ast.Name) and node.id == "print" for node in nodes)
    assert not prints or path.stem in COMMANDS


@pytest.mark.parametrize("path", [*PACK, *sources("lab", "docs", "tests")], ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{node.name} has {lines} lines"
