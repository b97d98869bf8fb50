"""One process: one ComfyUI, the pack of one tree, all cases, one file of results."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .borrowed import activate


def digest(value: torch.Tensor | str) -> dict[str, Any]:
    """SHA-256 of the bytes with what they mean; a text stands for itself."""
    if isinstance(value, str):
        return {"text": value}
    whole = value.detach().cpu().contiguous()
    raw = whole.reshape(-1).view(torch.uint8).numpy().tobytes()
    kept = {"dtype": str(whole.dtype), "shape": list(whole.shape)}
    return {"sha256": hashlib.sha256(raw).hexdigest(), **kept}


def run_all(tree: Path, pattern: str, out: Path) -> None:
    """Write `results.json` and `tensors.safetensors` into `out`."""
    from . import bench, cases

    made = bench.Bench(bench.load_pack(tree))
    results: dict[str, Any] = {}
    tensors: dict[str, torch.Tensor] = {}
    todo = cases.chosen(cases.all_cases(made), pattern)
    for number, (name, case) in enumerate(todo.items()):
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            outputs = cases.run(case)
        results[name] = {key: digest(value) for key, value in outputs.items()}
        for key, value in outputs.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{name} | {key}"] = value.detach().cpu().contiguous().clone()
        if number % 100 == 99:
            print(f"  {number + 1} of {len(todo)} cases", flush=True)
    save_file(tensors, out / "tensors.safetensors")
    (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--only", default="*")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    activate(asked.version)
    logging.disable(logging.WARNING)
    run_all(asked.tree, asked.only, asked.out)


if __name__ == "__main__":
    main()
