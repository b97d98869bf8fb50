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

# A module of the core imports from earlier lines only.
LAYERS = (
    ("flow", "tokens"),
    ("schedule", "layout", "upsampling", "edges", "forecast"),
    ("noise", "regions", "cost", "nt_matching"),
    ("transition", "presets"),
    ("sampler",),
    ("__init__",),
)
CORE_LIBRARIES = {"torch", "numpy", "scipy", "kornia", "cv2", *sys.stdlib_module_names}
OWN_NAMES = {"nodes", "ralu_core", "lab", "tests"}
# What each folder of the lab may import: folders above it.
LAB = {
    "comfy": (),
    "models": ("comfy",),
    "bench": ("comfy", "models"),
    "equality": ("comfy", "models"),
    "quality": ("comfy", "models", "bench"),
    "showcase": ("comfy", "models", "bench"),
}
HOST = ("nodes", "host")
KEYS = (*HOST, "sampling", "keys")
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "subprocess", "ctypes"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}


def sources(*folders: str) -> list[Path]:
    """Python files of the named top-level folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


PACK = [ROOT / "__init__.py", *sources("nodes", "ralu_core")]
CORE = sources("ralu_core")


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


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_depends_in_one_direction(path: Path) -> None:
    layer = {module: number for number, modules in enumerate(LAYERS) for module in modules}
    assert path.stem in layer, "give the new module a layer"
    for _, imported in imports_in_pack(path):
        assert layer[imported] < layer[path.stem], f"{path.stem} imports {imported}"


@pytest.mark.parametrize("path", PACK, ids=name_of)
def test_imports_inside_the_pack_are_relative(path: Path) -> None:
    """The host loads the folder under a name of its own; its own `nodes` is another module."""
    assert not set(absolute_imports(parse(path))) & OWN_NAMES


def test_the_host_adapter_does_not_know_the_nodes() -> None:
    for path in sources("nodes/host"):
        for imported in imports_in_pack(path):
            assert imported[0] == "ralu_core" or imported[:2] == ("nodes", "host"), path


def test_the_acceleration_and_the_host_adapter_do_not_know_each_other() -> None:
    """They meet in a node: a family's blocks are handed in, and keys in options are agreed on."""
    own, known = (*HOST, "temporal"), (("ralu_core",), (*HOST, "families"), KEYS)
    for path in sources("nodes/host"):
        for imported in imports_in_pack(path):
            if module_of(path)[:3] == own:
                assert any(imported[: len(one)] == one for one in (own, *known)), path
            else:
                assert imported[:3] != own, path


def test_the_pack_starts_at_its_nodes() -> None:
    assert imports_in_pack(ROOT / "__init__.py") == {("nodes", "__init__")}


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
    assert not any(isinstance(node, ast.Name) and node.id == "print" for node in nodes)


@pytest.mark.parametrize("path", [*PACK, *sources("lab")], ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{node.name} has {lines} lines"
