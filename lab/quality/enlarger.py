"""Whether a latent enlarger pays: `python -m lab.quality.enlarger [--model flux|sd3]`.

Plans of two sizes by every growth, each against many plain steps of the same seed: how near the
latent and the picture are, and what is left of the energy of the lower half of the latent's
frequencies and of the rest. The enlarger is fitted on held-out pictures of the miniature's kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from lab.bench.results import markdown
from lab.comfy import ralu_pack
from lab.models.architectures import MINIATURES
from lab.models.miniature.fetch import fetch_emoji
from lab.quality import measures, methods, ralu
from lab.quality.rivals import Batch
from lab.quality.splits import SPLITS
from lab.quality.store import as_bytes, as_pictures
from lab.quality.subject import SIDE, Subject, list_pairs, load_subject, training_width
from ralu_core.growth.spectral import half_band

GROWTHS = ("pixel", "dct", "enlarger")
OWN_NOISE = {
    "flux": ((4, 2, 0.65), (4, 5, 0.8), (8, 4, 0.5)),
    "sd3": ((4, 4, 0.7), (4, 6, 0.7), (8, 4, 0.5)),
}
NEW_NOISE = (8, 4, 0.5)  # z = 2: only what half size could not hold is new
PRESET = {"flux": "FLUX 7x", "sd3": "SD3 3x"}
FITTED_ON, FIT_SEED = 32, 9101
TOGETHER = 8  # pictures sampled at once


def fitted(subject: Subject) -> Any:
    """On pictures that neither the pairs nor the references hold."""
    from lab.quality.judge import NamedPictures

    generator = torch.Generator().manual_seed(FIT_SEED)
    drawn, _ = NamedPictures(fetch_emoji(), training_width(subject.kind), generator).draw(
        FITTED_ON, SIDE
    )
    return ralu_pack.enlarger_encoding.fitted_to(subject.vae, list(drawn.movedim(1, -1)))


def plans_of(subject: Subject) -> Iterator[tuple[str, Any, Sequence[str]]]:
    """What is compared: name, plan, and by which growths."""
    plans, shift, guided = ralu_pack.plans, subject.shift, MINIATURES[subject.kind].cfg != 1
    for low, high, switch in OWN_NOISE[subject.kind]:
        plan = plans.own_noise(shift, (low, high), switch=switch, guide_full=not guided)
        yield f"{plan.name}, switch {switch:g}", plan, GROWTHS[1:]
    low, high, switch = NEW_NOISE
    plan = plans.own_noise(shift, (low, high), switch=switch, guide_full=not guided)
    fresh = replace(plan, crossings=(ralu_pack.matched.Matched(switch, 2.0, "dct"),))
    yield f"new noise {low}-{high}, switch {switch:g}", fresh, GROWTHS
    yield PRESET[subject.kind], ralu.matched(subject, PRESET[subject.kind]), GROWTHS


def compare(kind: str, pairs: int) -> str:
    """The tables of one miniature."""
    subject = load_subject(kind)
    first = SPLITS["tuned"]
    rows = list_pairs(first + pairs)[first:]
    batches = [Batch(subject, rows[k : k + TOGETHER]) for k in range(0, pairs, TOGETHER)]
    many = methods.reference(MINIATURES[kind].steps)
    wanted = _sampled(subject, batches, many.run)
    found = fitted(subject)
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.wrong.items())
    lines = []
    for name, plan, growths in plans_of(subject):
        for growth in growths:
            options = {"upsampling": growth, "enlarger": found.enlarger}
            latents, pictures = _sampled(
                subject,
                batches,
                lambda batch, plan=plan, options=options: ralu.node(batch, plan, **options),
            )
            lines.append([name, growth, *likeness(subject, latents, pictures, *wanted)])
            print(" | ".join(lines[-1]), flush=True)
    head = ("plan", "growth", "SNR", "low", "high", *measures.PAIRED)
    return f"{kind}: left wrong {shares}; {pairs} pairs\n\n{markdown(head, lines)}"


def likeness(
    subject: Subject,
    latents: torch.Tensor,
    pictures: torch.Tensor,
    wanted: torch.Tensor,
    shown: torch.Tensor,
) -> list[str]:
    """To the many-step latents and pictures, means over the pairs."""
    process = subject.patcher.model.process_latent_in
    ours, theirs = process(latents), process(wanted)
    gap = (ours - theirs).square().flatten(1).sum(1)
    snr = 10 * (theirs.square().flatten(1).sum(1) / gap).log10().mean()
    low, high = (_bands(ours)[k] / _bands(theirs)[k] for k in (0, 1))
    close = measures.closeness(as_pictures(pictures), as_pictures(shown)).mean(0)
    return [f"{snr:.1f}", f"{low.mean():.2f}", f"{high.mean():.2f}", *(f"{x:.2f}" for x in close)]


def _bands(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(n,) energy in the lower half of the frequencies each way, and elsewhere."""
    rows, columns = (half_band(size).to(latents) for size in latents.shape[-2:])
    low = (rows @ latents @ columns.T).square().flatten(1).sum(1)
    return low, latents.square().flatten(1).sum(1) - low


def _sampled(subject: Subject, batches: Sequence[Batch], run) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents, and pictures (n, 3, H, W) uint8."""
    latents = [run(batch).float() for batch in batches]
    pictures = [as_bytes(subject.vae.decode(latent)) for latent in latents]
    return torch.cat(latents), torch.cat(pictures)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.quality.enlarger", description=__doc__)
    parser.add_argument("--model", choices=tuple(OWN_NOISE), default="flux")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    ralu_pack.start(cpu=True)
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        print(compare(options.model, options.pairs))


if __name__ == "__main__":
    main()
