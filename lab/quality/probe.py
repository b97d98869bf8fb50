"""How well one mixed call predicts: `python -m lab.quality.probe [--model flux|sd3]`.

Held-out pictures are noised to a level, their edges are set fine, and the velocity that the model
predicts is compared with the true one, for fine and for coarse tokens. Mean squared errors. The
floor is what a plain call at full size, and at half size, makes of the same tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from lab.bench.results import markdown
from lab.comfy import ralu_pack
from lab.models.miniature.fetch import fetch_emoji
from lab.models.miniature.text_encoding import encode_prompts
from lab.quality.subject import SIDE, Subject, load_subject, training_width

FLOOR, RATIO = "plain calls", 0.2


@dataclass(frozen=True)
class Truth:
    """Held-out pictures at two sizes, as the model's own latents, with their noise and prompts.

    edges  (n, rows, columns) bool, the share RATIO of coarse tokens with most edges.
    """

    full: torch.Tensor
    half: torch.Tensor
    noise: torch.Tensor
    prompts: list[str]
    edges: torch.Tensor

    @classmethod
    def drawn(cls, subject: Subject, count: int, seed: int) -> Truth:
        from lab.quality.judge import NamedPictures

        generator = torch.Generator().manual_seed(seed)
        source = NamedPictures(fetch_emoji(), training_width(subject.kind), generator)
        pictures, prompts = source.draw(count, SIDE)
        small = F.avg_pool2d(pictures, 2)
        full, half = (_encoded(subject, one.movedim(1, -1)) for one in (pictures, small))
        noise = torch.randn(full.shape, generator=generator)
        grid = full.shape[-2] // 4, full.shape[-1] // 4
        scores = ralu_pack.scores
        found = scores.score_named("canny").of_picture(small.movedim(1, -1), grid)
        return cls(full, half, noise, prompts, scores.select_ratio(found, RATIO))


def _encoded(subject: Subject, pictures: torch.Tensor) -> torch.Tensor:
    return subject.patcher.model.process_latent_in(subject.vae.encode(pictures).float())


def velocity(subject: Subject, prompts: list[str], x: torch.Tensor, sigma: float, call: Any = None):
    """What the model predicts at x; `call` is an APPLY_MODEL wrapper or None."""
    from comfy.patcher_extension import WrappersMP

    context, pooled = encode_prompts(prompts)
    wrappers = {} if call is None else {WrappersMP.APPLY_MODEL: {"probe": [call]}}
    denoised = subject.patcher.model.apply_model(
        x,
        torch.full((len(x),), sigma),
        c_crossattn=context,
        y=pooled,
        guidance=torch.full((len(x),), subject.told),
        transformer_options={"wrappers": wrappers},
    )
    return (x - denoised) / sigma


def errors(subject: Subject, truth: Truth, sigma: float, views: str) -> torch.Tensor:
    """(n, 2) mean squared error of each picture's fine tokens, and of its coarse ones."""
    tokens = ralu_pack.tokens
    layout = ralu_pack.layout.Layout(truth.edges, views=views if views != FLOOR else "paper")
    small = tokens.pick(truth.noise)
    full, half = (
        sigma * noise + (1 - sigma) * clean
        for noise, clean in ((truth.noise, truth.full), (small, truth.half))
    )
    if views == FLOOR:
        fine = velocity(subject, truth.prompts, full, sigma)
        coarse = velocity(subject, truth.prompts, half, sigma)
    else:
        packings = ralu_pack.packing.Packing.parts(layout)
        call = ralu_pack.mixed_call.MixedCall(packings, subject.facts.family)
        fine = velocity(subject, truth.prompts, layout.join(full, half), sigma, call)
        coarse = tokens.pick(fine)
    is_fine = layout.fine_pixels
    return torch.stack(
        [
            _mean((fine - truth.noise + truth.full).square(), is_fine),
            _mean((coarse - small + truth.half).square(), ~tokens.pick(is_fine)),
        ],
        dim=1,
    )


def _mean(squares: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Of each picture, over channels and the pixels where it counts."""
    return (squares.mean(1) * where[:, 0]).sum((1, 2)) / where[:, 0].sum((1, 2))


def table(measure: Callable[[float, str], torch.Tensor], sigmas: Sequence[float], names) -> str:
    """Errors of fine and coarse tokens at each level; differences to the paper's, with their
    standard error, over all levels."""
    found = {name: torch.stack([measure(s, name) for s in sigmas]) for name in names}
    lines = []
    for name, values in found.items():
        apart = (values - found["paper"]).mean(0)
        spread = apart.std(0) / len(apart) ** 0.5
        cells = [" / ".join(f"{v:.3f}" for v in values[..., k].mean(1)) for k in (0, 1)]
        told = [f"{apart[:, k].mean():+.3f} +- {spread[k]:.3f}" for k in (0, 1)]
        lines.append((name, *cells, *(told if name not in ("paper", FLOOR) else ("", ""))))
    head = ("views", "fine tokens", "coarse tokens", "fine - paper", "coarse - paper")
    return markdown(head, lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.quality.probe", description=__doc__)
    parser.add_argument("--model", choices=("flux", "sd3"), default="flux")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--seed", type=int, default=9001)
    parser.add_argument("--sigmas", type=float, nargs="+", default=(0.85, 0.65))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    ralu_pack.start(cpu=True)
    torch.set_num_threads(options.threads)
    print(probe(options.model, options.pictures, options.seed, options.sigmas))


def probe(kind: str, pictures: int, seed: int, sigmas: Sequence[float]) -> str:
    """The table of a miniature, in float32."""
    import comfy.model_management

    with torch.inference_mode():
        subject = load_subject(kind, torch.float32)
        comfy.model_management.load_models_gpu([subject.patcher])
        truth = Truth.drawn(subject, pictures, seed)
        names = [FLOOR, *ralu_pack.views.VIEWS_KNOWN]
        return table(lambda sigma, name: errors(subject, truth, sigma, name), sigmas, names)


if __name__ == "__main__":
    main()
