"""Measure FLOPs, time, memory: `python -m lab.bench [flops|families|overhead|...]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.bench.results import record
from lab.comfy import ralu_pack

DEFAULT = ("flops", "families", "overhead", "latency")
NAMES = (*DEFAULT, "temporal", "trace")
# Options of some benches alone.
READ_BY = {
    "sizes": ("latency", "trace"),
    "models": ("latency", "trace"),
    "repeats": ("latency",),
    "steps": ("latency",),
    "preset": ("trace",),
    "prompts": ("temporal",),
    "seeds": ("temporal",),
    "weights": ("temporal",),
}
ON_CPU = ("flops", "families", "overhead", "temporal")  # also where there is a GPU


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=NAMES, help="default: the first four")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is")
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="of latency and trace, as sd3-medium; default: one of each family",
    )
    parser.add_argument("--sizes", type=int, nargs="+", metavar="PIXELS", help="sides of squares")
    parser.add_argument("--repeats", type=int, help="of latency; default 7 on a GPU, 2 on a CPU")
    parser.add_argument("--steps", type=int, default=0, help="of the plain run of latency")
    parser.add_argument("--preset", default="FLUX 7x", help="that trace runs")
    parser.add_argument("--prompts", type=int, default=16, help="of temporal, on the miniature")
    parser.add_argument("--seeds", type=int, default=2, help="of temporal, on the miniature")
    parser.add_argument("--weights", type=Path, help="of temporal: another miniature Flux")
    parser.add_argument("--threads", type=int, help="of torch; default 1 on a CPU")
    parser.add_argument("--out", type=Path, help="folder of the results, or file of the trace")
    parser.add_argument("--record", type=Path, metavar="FILE", help="all results, as one Markdown")
    options = parser.parse_args(arguments)
    chosen = chosen_benches(options)
    for name, readers in READ_BY.items():
        if getattr(options, name) != parser.get_default(name) and not {*chosen} & {*readers}:
            parser.error(f"--{name} is of {' and '.join(readers)} alone, got {', '.join(chosen)}.")
    if options.record and chosen != list(DEFAULT):
        parser.error(
            f"--record keeps {', '.join(DEFAULT)} together: name no bench and no --models."
        )
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    ralu_pack.start(cpu=options.device == "cpu", stays_loaded=True)
    from lab.bench.benches import BENCHES, OUT  # imports ComfyUI

    device = _device(options.device)
    threads = torch.get_num_threads()
    for name in chosen_benches(options):
        alone = device.type == "cpu" or name in ON_CPU
        torch.set_num_threads(options.threads or (1 if alone else threads))
        BENCHES[name](options, device)
    if options.record:
        record(options.out or OUT, options.record, DEFAULT)


def _device(kind: str | None) -> torch.device:
    found = torch.cuda.is_available()
    if kind == "cuda" and not found:
        raise ValueError("torch finds no CUDA device here: leave --device out to use the CPU.")
    # With its number, as tensors name their device.
    return torch.device("cuda", 0) if found and kind != "cpu" else torch.device("cpu")


def chosen_benches(options: argparse.Namespace) -> list[str]:
    """By name; options of latency alone ask for latency."""
    if options.what:
        return [options.what]
    of_latency = (options.device, options.models, options.sizes, options.repeats, options.steps)
    return ["latency"] if any(of_latency) and not options.record else list(DEFAULT)


if __name__ == "__main__":
    main()
