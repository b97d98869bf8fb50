"""Sample, measure and compare: everything between the command line and the report."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import torch

from lab.models.miniature.fetch import fetch_emoji
from lab.models.miniature.pictures import list_emoji
from lab.quality import distances, jackknife, measures, rivals, statistics
from lab.quality.judge import FEATURES, WEIGHTS, Judge, NamedPictures, load_judge
from lab.quality.methods import Method
from lab.quality.rivals import Batch
from lab.quality.statistics import Estimate
from lab.quality.store import BATCH, Store, as_bytes, as_pictures, stamped
from lab.quality.subject import SEED, SIDE, Pair, Subject, training_width, vae_file, weights_hash

log = logging.getLogger(__name__)

REFERENCE_PICTURES, REAL_PICTURES = 576, 216
REFERENCE_SEED, REAL_SEED = 3501, 3502  # of neither training
BASE, BASE_SEED = 20, SEED + 1  # Euler steps, and seed, of pictures that are sampled again
REFERENCE, REAL = "held-out reference", "held-out pictures"
SPACES = ("judge", "texture")


@dataclass
class Bench:
    """Pictures and measures of every method, kept in `store`; `held` keeps those of the held-out
    pictures, which depend on no pair, and is `store` where not given. Distances are taken to
    `reference`: where it is None, to the held-out pictures. `denoise` below 1 samples pictures of
    another seed again, as a KSampler's, and `masked` their middle alone."""

    subject: Subject
    pairs: list[Pair]
    store: Store
    judge: Judge = field(default_factory=load_judge)
    held: Store | None = None
    reference_count: int = REFERENCE_PICTURES
    reference: Measured | None = None
    denoise: float = 1.0
    masked: bool = False

    def samples(self, method: Method, count: int) -> torch.Tensor:
        """(count, 3, H, W) uint8, sampled and decoded where they are not kept."""

        def make(start: int, stop: int) -> torch.Tensor:
            started = time.perf_counter()
            latents = method.run(self._batch(start, stop))
            pictures = as_bytes(self.subject.vae.decode(latents))
            log.info("%s %d-%d %.1f s", method.key, start, stop, time.perf_counter() - started)
            return pictures

        return self.store.rows(f"samples/{method.key}", count, make)

    def _batch(self, start: int, stop: int) -> Batch:
        pairs = self.pairs[start:stop]
        if self.denoise == 1 and not self.masked:
            return Batch(self.subject, pairs)

        def make(start: int, stop: int) -> torch.Tensor:
            return rivals.plain(Batch(self.subject, self.pairs[start:stop]), BASE, seed=BASE_SEED)

        base = self.store.rows("base", stop, make)[start:]
        return Batch(self.subject, pairs, base, self.denoise, self.masked)

    def held_out(self, name: str) -> torch.Tensor:
        """Fresh training pictures through the autoencoder, whose losses no sampler can undo."""
        count = self.reference_count if name == REFERENCE else REAL_PICTURES
        seed = REFERENCE_SEED if name == REFERENCE else REAL_SEED
        vae, width = self.subject.vae, training_width(self.subject.kind)

        def make(start: int, stop: int) -> torch.Tensor:
            block = start - start % BATCH  # drawn whole, whatever is kept of it
            generator = torch.Generator().manual_seed(seed + block)
            source = NamedPictures(fetch_emoji(), width, generator)
            pictures = source.draw(BATCH, SIDE)[0].movedim(1, -1)
            return as_bytes(vae.decode(vae.encode(pictures)))[start - block : stop - block]

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

        judged, texture = rows("judge"), rows("texture")
        if key in (REFERENCE, REAL):
            prompts = torch.zeros(len(samples), dtype=torch.long)  # their prompts are random, too
        else:
            prompts = torch.tensor([pair.number % len(list_emoji()) for pair in self.pairs])
        return Measured(
            judged[:, :FEATURES],
            judged[:, FEATURES:],
            texture,
            rows("numbers"),
            prompts[: len(samples)],
        )

    @cached_property
    def references(self) -> dict[str, distances.Reference]:
        """The same for all methods, so that differences stay paired."""
        known = self._known
        return {
            space: distances.Reference(known.features(space), None, known.prompts)
            for space in SPACES
        }

    @cached_property
    def _known(self) -> Measured:
        return self.reference or self.measured(REFERENCE, self.held_out(REFERENCE))

    def real(self) -> dict[str, Estimate]:
        """The held-out pictures in place of a method: what perfection measures."""
        measured = self.measured(REAL, self.held_out(REAL))
        return {**self._distances(measured), **_artifacts(measured, measured.draws())}

    def aimed_at(self) -> dict[str, Estimate]:
        """The artifacts of the pictures that distances are taken to."""
        return _artifacts(self._known, self._known.draws(statistics.REFERENCE_SEED))

    def method(self, method: Method, count: int, many: Method) -> dict[str, Estimate]:
        """Every figure of a method over the first `count` pairs; many: plain many-step sampling."""
        return {**self.distance_figures(method, count), **self.own_figures(method, count, many)}

    def distance_figures(self, method: Method, count: int) -> dict[str, Estimate]:
        """Over the first `count` pairs, to the reference."""
        return self._distances(self.measured(method.key, self.samples(method, count)))

    def own_figures(self, method: Method, count: int, many: Method) -> dict[str, Estimate]:
        """What needs no reference: artifacts, what is recognised, and likeness to `many`."""
        measured = self.measured(method.key, self.samples(method, count))
        weights, close = measured.draws(), self._closeness(method, count, many)
        hits = measures.recognised(measured.scores, [pair.prompt for pair in self.pairs[:count]])
        paired = {
            name: statistics.mean_estimate(close[:, i], weights)
            for i, name in enumerate(measures.PAIRED)
        }
        return {
            **_artifacts(measured, weights),
            "recognised": statistics.mean_estimate(hits, weights),
            **paired,
        }

    def _closeness(self, method: Method, count: int, many: Method) -> torch.Tensor:
        """(count, 2) as `measures.closeness` to the pictures of `many`, pair by pair."""
        samples, others = self.samples(method, count), self.samples(many, count)

        def make(start: int, stop: int) -> torch.Tensor:
            return measures.closeness(
                as_pictures(samples[start:stop]), as_pictures(others[start:stop])
            )

        return self.store.rows(f"closeness/{method.key}_to_{many.key}", count, make)

    def recognised(self, method: Method, count: int) -> dict[str, float]:
        """Share of recognised pictures by prompt, colours left out."""
        measured = self.measured(method.key, self.samples(method, count))
        prompts = [pair.prompt for pair in self.pairs[:count]]
        hits = measures.recognised(measured.scores, prompts).tolist()
        shares: dict[str, list[float]] = {}
        for prompt, hit in zip(prompts, hits, strict=True):
            shares.setdefault(prompt.split(" on ")[0], []).append(hit)
        return {name: sum(row) / len(row) for name, row in shares.items()}

    def _distances(self, measured: Measured) -> dict[str, Estimate]:
        found: dict[str, Estimate] = {}
        for space in SPACES:
            of_it = measured.features(space), self.references[space], measured.prompts
            found[f"KID {space}"] = jackknife.kernel(*of_it)
            found[f"Frechet {space}"] = jackknife.frechet(*of_it)
        return found


@dataclass(frozen=True)
class Measured:
    """One row per picture: judge's features and scores, texture features, artifact numbers, and the
    number of its prompt, grounds left out."""

    judged: torch.Tensor
    scores: torch.Tensor
    texture: torch.Tensor
    numbers: torch.Tensor
    prompts: torch.Tensor

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured:
        return cls(*(torch.cat([getattr(one, f.name) for one in parts]) for f in fields(cls)))

    def features(self, space: str) -> torch.Tensor:
        return self.judged if space == "judge" else self.texture

    @property
    def strata(self) -> torch.Tensor:
        return statistics.strata_of(self.prompts)

    def draws(self, seed: int = statistics.SEED) -> torch.Tensor:
        """As `draw_weights` makes them; reference pictures have a seed of their own."""
        return statistics.draw_weights(self.strata, seed=seed)


def _artifacts(measured: Measured, weights: torch.Tensor) -> dict[str, Estimate]:
    return {
        name: statistics.mean_estimate(measured.numbers[:, i], weights)
        for i, name in enumerate((*measures.ARTIFACTS, measures.BLUR))
    }


def kept_in(out: Path, kind: str) -> Path:
    """The folder of a miniature's pictures and measures. ValueError where the judge or the VAE that
    made them are not those of now."""
    made_with = hashlib.sha256(WEIGHTS.read_bytes() + vae_file(kind).read_bytes()).hexdigest()
    return stamped(Path(out) / f"{kind}-{weights_hash(kind)[:12]}", made_with)


def figure_names() -> Sequence[str]:
    """All figures of a method, in the order of the report."""
    spaces = [f"{name} {space}" for space in SPACES for name in ("KID", "Frechet")]
    return (*spaces, *measures.ARTIFACTS, "recognised", *measures.PAIRED, measures.BLUR)


def sign(name: str) -> int:
    """1 where more is better, -1 where less is."""
    return 1 if name in ("recognised", *measures.PAIRED) else -1
