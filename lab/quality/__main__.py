"""Measure picture quality at equal FLOPs: `python -m lab.quality [pareto] [--model flux|sd3]`."""

from __future__ import annotations

import argparse
import importlib
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY
from lab.models.architectures import MINIATURES
from lab.models.blueprint import FEW
from lab.quality.splits import OTHERS, REFERENCES, SPLITS, pairs_of

PAIRS, ABLATION_PAIRS = 216, 72


def _parser() -> argparse.ArgumentParser:
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
        "--others",
        nargs="+",
        default=(OTHERS,),
        metavar="SPLIT[:COUNT]",
        help=f"whose pictures of many steps it is measured to; {OTHERS}: of no split's pairs",
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
        "--denoise",
        type=float,
        default=1.0,
        help="below 1 pictures are sampled again, without rivals",
    )
    parser.add_argument(
        "--masked", action="store_true", help="the middle of pictures is sampled again"
    )
    parser.add_argument(
        "--many", type=int, default=0, help="steps of the curve's reference, 0: as published"
    )
    parser.add_argument(
        "--called", default="", help="a word for the curve's page, where its pairs have another"
    )
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "quality")
    parser.add_argument(
        "--commit", action="store_true", help="also write the results into lab/quality"
    )
    return parser


# Options that the other one would leave out without a word.
OF_CURVE = (
    "split",
    "references",
    "others",
    "only",
    "methods",
    "guidance",
    "denoise",
    "masked",
    "many",
    "called",
)
OF_TABLES = ("ablation_pairs",)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    unread = OF_TABLES if options.what == "pareto" else OF_CURVE
    asked = [name for name in unread if getattr(options, name) != parser.get_default(name)]
    if asked:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        parser.error(f"{names}: not of {options.what}, but of the other.")
    if options.what == "tables" and MINIATURES[options.model].preset == FEW:
        parser.error(f"--model {options.model}: of so few steps there is a curve alone, pareto.")
    if options.pairs is None:
        options.pairs = pairs_of(options.split) if options.what == "pareto" else PAIRS
    return options


def command(options: argparse.Namespace) -> str:
    """What makes the same again, wherever its pictures are kept."""
    words = ["python", "-m", "lab.quality", options.what]
    for name, value in vars(options).items():
        if name in ("what", "out", "commit") or value == _parser().get_default(name):
            continue
        values = [] if value is True else value if isinstance(value, list) else [value]
        words.append(f"--{name.replace('_', '-')}")
        words += [f"{one:g}" if isinstance(one, float) else str(one) for one in values]
    return shlex.join(words)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    ralu_pack.start(cpu=True)
    logging.getLogger("lab.quality").setLevel(logging.INFO)
    module = {"tables": "measure", "pareto": "pareto"}[options.what]  # they import ComfyUI
    run = importlib.import_module(f"lab.quality.{module}").run

    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        run(options, command(options))


if __name__ == "__main__":
    main()
