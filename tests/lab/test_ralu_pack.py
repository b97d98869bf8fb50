"""The modules of the pack that the lab uses: one table, and the imports that type checkers read."""

from __future__ import annotations

import ast
import inspect

import pytest

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY


def test_the_imports_for_type_checkers_say_what_the_table_says():
    tree = ast.parse(inspect.getsource(ralu_pack))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.asname or alias.name: f"{statement.module}.{alias.name}"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert told == ralu_pack.MODULES


@pytest.mark.parametrize("module", ralu_pack.MODULES.values())
def test_every_module_is_there(module):
    path = REPOSITORY / module.replace(".", "/")
    assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_other_names_are_no_modules():
    with pytest.raises(AttributeError, match="has no attribute 'nodes'"):
        ralu_pack.nodes  # noqa: B018
