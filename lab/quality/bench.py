"""Sample, measure and compare: everything between the command line and the report."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from lab.models.miniature.fetch import fetch_emoji
from lab.quality import distances, measures, statistics
from lab.quality.judge import FEATURES, Judge, NamedPictures, load_judge
from lab.quality.methods import Method
from lab.quality.rivals import Batch
from lab.quality.statistics import Estimate
from lab.quality.store import Store, as_bytes, as_pictures
from lab.quality.subject import SIDE, Pair, Subject, training_width

log = logging.getLogger(__name__)

REFERENCE_PICTURES, REAL_PICTURES = 576, 216
REFERENCE_SEED, REAL_SEED = 3501, 3502  # of neither training
REFERENCE, REAL = "held-out reference", "held-out pictures"
SPACES = ("judge", "texture")


@dataclass
class Bench:
    """Pictures and measures of every method, kept in `store`; `held` keeps those of the held-out
    pictures, which depend on no pair, and is `store` where not given. Distances are taken to
    `reference`: where it is None, to the held-out pictures."""

    subject: Subject
    pairs: list[Pair]
    store: Store
    judge: Judge = field(default_factory=load_judge)
    held: Store | None = None
    reference_count: int = REFERENCE_PICTURES
    reference: Measured | None = None

    def samples(self, method: Method, count: int) -> torch.Tensor:
        """(count, 3, H, W) uint8, sampled and decoded where they are not kept."""

        def make(start: int, stop: int) -> torch.Tensor:
            started = time.perf_counter()
            latents = method.run(Batch(self.subject, self.pairs[start:stop]))
            pictures = as_bytes(self.subject.vae.decode(latents))
            log.info("%s %d-%d %.1f s", method.key, start, stop, time.perf_counter() - started)
            return pictures

        return self.store.rows(f"samples/{method.key}", count, make)

    def held_out(self, name: str) -> torch.Tensor:
        """Fresh training pictures through the autoencoder, whose losses no sampler can undo."""
        count = self.reference_count if name == REFERENCE else REAL_PICTURES
        seed = REFERENCE_SEED if name == REFERENCE else REAL_SEED
        vae, width = self.subject.vae, training_width(self.subject.kind)

        def make(start: int, stop: int) -> torch.Tensor:
            generator = torch.Generator().manual_seed(seed + start)
            source = NamedPictures(fetch_emoji(), width, generator)
            pictures = source.draw(stop - start, SIDE)[0].movedim(1, -1)
            return as_bytes(vae.decode(vae.encode(pictures)))

        return self._store_of(name).rows(f"samples/{name}".replace(" ", "_"), count, make)

    def _store_of(self, key: str) -> Store:
        return self.held or self.store if key in (REFERENCE, REAL) else self.store

    def measured(self, key: str, samples: torch.Tensor) -> Measured:
        """Features and numbers of pictures (n, 3, H, W) uint8."""

        def rows(kind: str) -> torch.Tensor:
            def make(start: int, stop: int) -> torch.Tensor:
                pictures = as_pictures(samples[start:stop])
                if kind == "judge":
                    return measures.judged(self.judge, pictures)
                return getattr(measures, kind)(pictures)

            name = f"{kind}/{key}".replace(" ", "_")
            return self._store_of(key).rows(name, len(samples), make)

        judged = rows("judge")
        return Measured(
            judged[:, :FEATURES], judged[:, FEATURES:], rows("texture"), rows("numbers")
        )

    @cached_property
    def references(self) -> dict[str, distances.Reference]:
        known = self.reference or self.measured(REFERENCE, self.held_out(REFERENCE))
        return {space: distances.Reference(known.features(space)) for space in SPACES}

    def real(self) -> dict[str, Estimate]:
        """The held-out pictures in place of a method: what perfection measures."""
        measured = self.measured(REAL, self.held_out(REAL))
        weights = statistics.draw_weights(len(measured.numbers))
        return {**self._distances(measured, weights), **self._artifacts(measured, weights)}

    def aimed_at(self) -> dict[str, Estimate]:
        """The artifacts of the pictures that distances are taken to."""
        known = self.reference or self.measured(REFERENCE, self.held_out(REFERENCE))
        return self._artifacts(known, statistics.draw_weights(len(known.numbers)))

    def method(self, method: Method, count: int, many: torch.Tensor) -> dict[str, Estimate]:
        """Every figure of a method over the first `count` pairs.

        many  (count, 3, H, W) uint8 pictures of plain many-step sampling of the same pairs.
        """
        samples = self.samples(method, count)
        measured = self.measured(method.key, samples)
        weights = statistics.draw_weights(count)
        hits = measures.recognised(measured.scores, [pair.prompt for pair in self.pairs[:count]])
        close = torch.cat(
            [
                measures.closeness(as_pictures(some), as_pictures(same))
                for some, same in zip(samples.split(8), many.split(8), strict=True)
            ]
        )
        paired = {
            name: statistics.mean_estimate(close[:, i], weights)
            for i, name in enumerate(measures.PAIRED)
        }
        return {
            **self._distances(measured, weights),
            **self._artifacts(measured, weights),
            "recognised": statistics.mean_estimate(hits, weights),
            **paired,
        }

    def recognised(self, method: Method, count: int) -> dict[str, float]:
        """Share of recognised pictures by prompt, colours left out."""
        measured = self.measured(method.key, self.samples(method, count))
        prompts = [pair.prompt for pair in self.pairs[:count]]
        hits = measures.recognised(measured.scores, prompts).tolist()
        shares: dict[str, list[float]] = {}
        for prompt, hit in zip(prompts, hits, strict=True):
            shares.setdefault(prompt.split(" on ")[0], []).append(hit)
        return {name: sum(row) / len(row) for name, row in shares.items()}

    def _distances(self, measured: Measured, weights: torch.Tensor) -> dict[str, Estimate]:
        found = {}
        for space in SPACES:
            features, reference = measured.features(space), self.references[space]
            for name, distance in (
                ("KID", distances.kernel_distance),
                ("Frechet", distances.frechet_distance),
            ):
                values = distance(features, reference, weights)
                found[f"{name} {space}"] = statistics.estimate(values)
        return found

    def _artifacts(self, measured: Measured, weights: torch.Tensor) -> dict[str, Estimate]:
        names = (*measures.ARTIFACTS, measures.BLUR)
        return {
            name: statistics.mean_estimate(measured.numbers[:, i], weights)
            for i, name in enumerate(names)
        }


@dataclass(frozen=True)
class Measured:
    """One row per picture: judge's features and scores, texture features, artifact numbers."""

    judged: torch.Tensor
    scores: torch.Tensor
    texture: torch.Tensor
    numbers: torch.Tensor

    def features(self, space: str) -> torch.Tensor:
        return self.judged if space == "judge" else self.texture


def figure_names() -> Sequence[str]:
    """All figures of a method, in the order of the report."""
    spaces = [f"{name} {space}" for space in SPACES for name in ("KID", "Frechet")]
    return (*spaces, *measures.ARTIFACTS, "recognised", *measures.PAIRED, measures.BLUR)


def sign(name: str) -> int:
    """1 where more is better, -1 where less is."""
    return 1 if name in ("recognised", *measures.PAIRED) else -1
