"""One process: one ComfyUI, the pack of one tree, all cases, one file of results."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lab.comfy import activate, ralu_pack

KEPT = 2**17  # numbers of the largest tensor that is kept to be subtracted; a plot has a million


def digest(value: torch.Tensor | str) -> dict[str, Any]:
    """SHA-256 of the bytes with what they mean; a text stands for itself."""
    if isinstance(value, str):
        return {"text": value}
    whole = value.detach().cpu().contiguous()
    raw = whole.reshape(-1).view(torch.uint8).numpy().tobytes()
    kept = {"dtype": str(whole.dtype), "shape": list(whole.shape)}
    return {"sha256": hashlib.sha256(raw).hexdigest(), **kept}


def run_all(tree: Path, patterns: list[str], out: Path) -> None:
    """Write `results.json` and `tensors.safetensors` into `out`."""
    from . import bench, cases

    made = bench.Bench(ralu_pack.load(tree, bench.NAME))
    results: dict[str, Any] = {}
    tensors: dict[str, torch.Tensor] = {}
    todo = cases.chosen(cases.all_cases(made), patterns)
    for name, case in todo.items():
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            outputs = cases.run(case)
        results[name] = {key: digest(value) for key, value in outputs.items()}
        for key, value in outputs.items():
            if isinstance(value, torch.Tensor) and value.numel() <= KEPT:
                tensors[f"{name} | {key}"] = value.detach().cpu().contiguous().clone()
    _check_origin(tree)
    save_file(tensors, out / "tensors.safetensors")
    (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


def _check_origin(tree: Path) -> None:
    """The pack must have come whole from the tree that was asked for."""
    from .bench import NAME

    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == NAME]
    foreign = [str(one.__file__) for one in modules if tree not in Path(str(one.__file__)).parents]
    if foreign:
        raise RuntimeError(f"Modules of the pack were imported from outside {tree}: {foreign}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--only", nargs="+", default=["*"])
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    activate(asked.version)
    logging.disable(logging.WARNING)
    run_all(asked.tree, asked.only, asked.out)


if __name__ == "__main__":
    main()
