"""Whether attention to words of a prompt finds what they name: `python -m lab.quality.lettering`.

Prompts name an emoji and the colour of its ground. RALU draws each three times: its early regions
by edges alone; those first that attend to the emoji's name, as to words in quotes; those that
attend to the ground's colour. Told is which share of the regions lies on the emoji. `--picture`
draws some for the help page of RALU Encode Lettering instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from PIL import Image

from lab.bench.results import markdown
from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY
from lab.models.architectures import MINIATURES
from lab.models.miniature.text_encoding import WORDS
from lab.quality import ralu
from lab.quality.pareto_methods import PRESETS
from lab.quality.rivals import Batch
from lab.quality.subject import Pair, Subject, list_pairs, load_subject

GROUND = " on "
DIFFERS = 0.15  # of 1, from the ground's colour: what is no ground
HALF = 0.5
DETECTOR = "latent_gradient"
PICTURE, SHOWN = REPOSITORY / "web" / "docs" / "lettering.jpg", 3
EDGES, NAME, COLOUR = "edges alone", "the emoji's name", "the ground's colour"


@dataclass(frozen=True)
class Marked(Batch):
    """Pictures of prompts of which some words are marked as lettering; None marks none."""

    words: slice | None = None

    @property
    def guider(self):
        guider = super().guider
        if self.words is not None:
            marks = torch.zeros(WORDS, dtype=torch.bool)
            marks[self.words] = True
            (entry,) = guider.original_conds["positive"]
            entry[ralu_pack.marks.LETTERING] = marks
        return guider


def grounded(count: int) -> list[Pair]:
    """Pairs whose prompt names the ground, the first that there are."""
    return [pair for pair in list_pairs(8 * count) if GROUND in pair.prompt][:count]


def marked(subject: Subject, pair: Pair) -> dict[str, Marked]:
    """The pair with words marked, by what chooses its regions."""
    named, _ = pair.prompt.split(GROUND)
    name = slice(0, len(named.split()))
    colour = slice(name.stop + 1, name.stop + 2)
    words = {EDGES: None, NAME: name, COLOUR: colour}
    return {what: Marked(subject, [pair], words=some) for what, some in words.items()}


def found(subject: Subject, plan, pair: Pair) -> dict[str, float]:
    """The share of early regions that lies on the emoji, by what chose them."""
    return {what: _on_emoji(batch, plan) for what, batch in marked(subject, pair).items()}


def _on_emoji(batch: Marked, plan) -> float:
    run = ralu.sampled(batch, plan, detector=DETECTOR)
    (picture,) = batch.subject.vae.decode(run.samples)
    border = torch.cat([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    emoji = ((picture - border.median(0).values).abs().amax(-1) > DIFFERS).float()
    regions = F.adaptive_avg_pool2d(run.edge_mask, emoji.shape)[0] > HALF
    return emoji[regions].mean().item()


def table(subject: Subject, pairs: Sequence[Pair]) -> str:
    """Means over the pairs, with their standard error."""
    preset = PRESETS[MINIATURES[subject.kind].family][0]
    plan = ralu.matched(subject, preset)
    shares = [found(subject, plan, pair) for pair in pairs]
    rows = []
    for what in (EDGES, NAME, COLOUR):
        some = torch.tensor([one[what] for one in shares])
        error = some.std() / len(some) ** 0.5
        rows.append([what, f"{some.mean():.2f} +- {error:.2f}"])
    return markdown([f"{subject.kind}, {preset}: regions by", "of them on the emoji"], rows)


def draw(subject: Subject, pairs: Sequence[Pair]) -> Image.Image:
    """A row for each pair: its picture, with the regions outlined that grew early."""
    from lab.models.viewing import Grid, picture_grid

    plan = ralu.matched(subject, PRESETS[MINIATURES[subject.kind].family][0])
    columns: dict[str, list[torch.Tensor]] = {}
    for pair in pairs:
        for what, batch in marked(subject, pair).items():
            run = ralu.sampled(batch, plan, detector=DETECTOR)
            assert run.regions is not None  # the preset has early regions
            regions = replace(run.regions, picture=subject.vae.decode(run.samples))
            columns.setdefault(what, []).append(regions.drawn[0].movedim(-1, 0))
    shown = [(name, (255 * torch.stack(some)).byte()) for name, some in columns.items()]
    return picture_grid(shown, [pair.prompt for pair in pairs], Grid(side=130))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.quality.lettering", description=__doc__)
    parser.add_argument("--model", choices=tuple(MINIATURES), default="flux_guided")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--picture", action="store_true", help="draw, for the help page")
    options = parser.parse_args()
    ralu_pack.start(cpu=True)
    subject, pairs = load_subject(options.model), grounded(options.pairs)
    if options.picture:
        draw(subject, pairs[:SHOWN]).save(PICTURE, quality=88)
    else:
        print(table(subject, pairs))


if __name__ == "__main__":
    main()
