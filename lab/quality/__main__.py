"""Measure picture quality at equal FLOPs: `python -m lab.quality [pareto] [--model flux|sd3]`."""

from __future__ import annotations

import argparse
import importlib
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY
from lab.models.architectures import MINIATURES
from lab.quality.splits import REFERENCES, SPLITS, pairs_of

PAIRS, ABLATION_PAIRS = 216, 72


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.quality", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=("tables", "pareto"), default="tables", help="the curve's table"
    )
    parser.add_argument("--model", choices=tuple(MINIATURES), default="flux")
    parser.add_argument("--pairs", type=int, help="prompt-seed pairs")
    parser.add_argument(
        "--ablation-pairs", type=int, default=ABLATION_PAIRS, help="0 leaves the ablations out"
    )
    parser.add_argument("--split", choices=tuple(SPLITS), default="reported", help="of the curve")
    parser.add_argument(
        "--references",
        type=int,
        default=REFERENCES,
        help="held-out pictures the curve is measured to",
    )
    parser.add_argument(
        "--only", nargs="+", default=(), help="lines of the curve, by their names or how they begin"
    )
    parser.add_argument(
        "--methods", nargs="+", default=(), help="of these lines, by how their names begin"
    )
    parser.add_argument(
        "--guidance", type=float, help="of the curve's model: its cfg, or its conditioning's"
    )
    parser.add_argument(
        "--many", type=int, default=0, help="steps of the curve's reference, 0: as published"
    )
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "quality")
    parser.add_argument(
        "--commit", action="store_true", help="also write the results into lab/quality"
    )
    options = parser.parse_args(arguments)
    if options.pairs is None:
        options.pairs = pairs_of(options.split) if options.what == "pareto" else PAIRS
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    ralu_pack.start(cpu=True)
    logging.getLogger("lab.quality").setLevel(logging.INFO)
    module = {"tables": "measure", "pareto": "pareto"}[options.what]  # they import ComfyUI
    run = importlib.import_module(f"lab.quality.{module}").run

    torch.set_num_threads(options.threads)
    command = shlex.join(["python", "-m", "lab.quality", *(arguments or sys.argv[1:])])
    with torch.inference_mode():
        run(options, command)


if __name__ == "__main__":
    main()
