"""The compatibility table tells what the tests did, and nothing better."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from compat_table import cell, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def test_a_failure_outweighs_what_passed():
    assert cell({"passed": 3, "failed": 1}) == "**fails**, 1 test"
    assert cell({"passed": 3, "skipped": 1}) == "proven, 3 tests"
    assert cell({"skipped": 2}) == "does not apply, 2 tests"
    assert cell(None) == "not run" and cell({}) == "not run"


def test_one_column_for_each_host():
    results = [
        {"host": "2.0", "promises": {"LoRA": {"passed": 2}, "Masks": {"failed": 1}}},
        {"host": "1.0", "promises": {"LoRA": {"passed": 1}}},
    ]
    assert table(results).splitlines() == [
        "| With RALU | ComfyUI 2.0 | ComfyUI 1.0 |",
        "|---|---|---|",
        "| LoRA | proven, 2 tests | proven, 1 test |",
        "| Masks | **fails**, 1 test | not run |",
    ]


@pytest.mark.slow
def test_the_program_collects_real_outcomes(tmp_path):
    program, result = HERE.parent / "support" / "compat_table.py", tmp_path / "out.json"
    tests = [str(HERE / "test_compat_regional.py"), "-k", "mask_bounds_become"]
    command = [sys.executable, str(program), "run", str(result), *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    promises = json.loads(result.read_text())["promises"]
    assert promises == {"Regional prompts by mask": {"passed": 2}}
