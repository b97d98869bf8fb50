"""Check real weights: make bench-real ARGS="--unet flux1-dev.safetensors --clip ... --vae ..."

Runs plain sampling of both orders, RALU and plans on the seed's own noise on a few prompts, and
compares each with many plain steps of the same seed: contrast by band, likeness, cost. Measures
what the VAE loses between two sizes; where lab.real.enlarger has fitted one for it, its growth,
too. Writes a report into out/real.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.bench import machine
from lab.bench.results import Results, markdown
from lab.comfy.locate import REPOSITORY
from lab.real import loading

COUNTS = (4, 5, 6, 7, 10)  # of steps; the last three the dial's
PROMPTS = (
    "a red fox in deep snow, morning light",
    "an old bookshop window with a sign that reads OPEN",
    "portrait of a woman with freckles, 85mm",
    "a glass of water on a wooden table, a city behind it",
)
READING = """\
How to read it. *calls*: cost in full-size calls of the model, guidance counted twice. *SNR*, \
*PSNR*: likeness of latent and picture to {many} plain Euler steps of the same seed, in dB. *low*, \
*high*: energy of the lower half of the frequencies and of the rest, over those of the many steps: \
below 1 contrast is lost, or detail; above 1 it overshoots. Means over {cases} pictures of {size} \
pixels: differences of a few tenths mean nothing."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.real", description=__doc__)
    parser.add_argument("--checkpoint", default="", help="in ComfyUI's checkpoints")
    parser.add_argument("--unet", default="", help="in ComfyUI's diffusion_models")
    parser.add_argument("--clip", nargs="+", default=[], help="in ComfyUI's text_encoders")
    parser.add_argument("--clip-type", default="flux", help="as CLIPLoader names it")
    parser.add_argument("--vae", default="", help="in ComfyUI's vae")
    parser.add_argument("--stand-in", default="", help="a name in lab/models/stand_ins.py")
    parser.add_argument("--size", type=int, default=1024, help="pixels each way")
    parser.add_argument("--cfg", type=float, default=1.0, help="of the sampler: 4 to 5 for SD3.5")
    parser.add_argument("--guidance", type=float, default=3.5, help="of FLUX.1-dev")
    parser.add_argument("--many", type=int, default=50, help="steps to compare with")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="of steps")
    parser.add_argument("--prompts", nargs="+", default=PROMPTS)
    parser.add_argument("--seeds", type=int, default=1, help="for each prompt")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "real")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    loading.start(options.stand_in)
    command = shlex.join(["python", "-m", "lab.real", *(arguments or sys.argv[1:])])
    with torch.inference_mode():
        report(options, command)


def report(options: argparse.Namespace, command: str) -> None:
    """Sample, measure and write, a row at a time."""
    from lab.real import checks, vae_scales  # import ComfyUI
    from lab.real.sampling import Case, Sampling

    loaded = loading.load(options)
    sampling = Sampling(loaded, options.cfg, options.guidance)
    cases = [
        Case(prompt, seed, options.size)
        for prompt in options.prompts
        for seed in range(options.seeds)
    ]
    results = Results("real", f"Checked on {loaded.name}", machine.describe(_device()))
    results.say(f"Made by `{command}`; shift {sampling.shift(options.size):.3f}.")
    many = [sampling.plain(case, options.many, 1) for case in cases]
    pictures = [checks.picture_of(sampling, latent) for latent in many]
    rows = []
    for method in checks.methods(sampling, options.size, options.counts):
        found = checks.compare(sampling, method, cases, many, pictures)
        rows.append([method.name, f"{method.calls:.2f}", *_numbers(found)])
        print(" | ".join(rows[-1]), flush=True)
    results.say(READING.format(many=options.many, cases=len(cases), size=options.size))
    results.say(markdown(["method", "calls", "SNR", "low", "high", "PSNR", "seconds"], rows))
    results.say(_of_vae(vae_scales, sampling, pictures))
    results.data["rows"] = rows
    results.data["command"] = command
    results.save(Path(options.out))
    print(f"Written to {options.out}/real.md", flush=True)


def _of_vae(vae_scales, sampling, pictures: Sequence[torch.Tensor]) -> str:
    """The VAE between two sizes, on the many-step pictures (1, H, W, 3)."""
    if len(pictures) < 4:
        return f"VAE between sizes: not measured, {len(pictures)} pictures are too few: ask for 4."
    entered = sampling.loaded.model.model.process_latent_in
    full, half = vae_scales.latents_at_both_sizes(sampling.loaded.vae, entered, pictures)
    wrong = vae_scales.energies_left_wrong(full, half)
    lines = [[name, f"{100 * share:.0f} %"] for name, share in wrong.items()]
    return (
        f"The VAE between sizes, on these {len(pictures)} pictures: how much of the full-size "
        "latent's energy a reading of the half-size latent leaves wrong, maps fitted on half of "
        "them.\n\n" + markdown(["reading", "wrong"], lines)
    )


def _numbers(found) -> list[str]:
    values = (found.snr, found.low, found.high, found.psnr, found.seconds)
    return [f"{value:.{digits}f}" for value, digits in zip(values, (1, 2, 2, 1, 1), strict=True)]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
