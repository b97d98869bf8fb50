"""Measure picture quality at equal FLOPs: `python -m lab.quality [--model flux|sd3]`."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY

PAIRS, ABLATION_PAIRS = 216, 72


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.quality", description=__doc__)
    parser.add_argument("--model", choices=("flux", "sd3"), default="flux")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="prompt-seed pairs, 36 a round")
    parser.add_argument(
        "--ablation-pairs", type=int, default=ABLATION_PAIRS, help="0 leaves the ablations out"
    )
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "quality")
    parser.add_argument(
        "--commit", action="store_true", help="also write the results into lab/quality"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    ralu_pack.start(cpu=True)
    logging.getLogger("lab.quality").setLevel(logging.INFO)
    from lab.quality.measure import run  # imports ComfyUI

    torch.set_num_threads(options.threads)
    command = shlex.join(["python", "-m", "lab.quality", *(arguments or sys.argv[1:])])
    with torch.inference_mode():
        run(options, command)


if __name__ == "__main__":
    main()
