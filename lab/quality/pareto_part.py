"""What a page of the Pareto curve is measured on: pairs of one miniature, and their references."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lab.models.architectures import MINIATURES
from lab.models.miniature.pictures import list_emoji
from lab.quality import methods
from lab.quality.bench import BASE, Bench, Measured, kept_in
from lab.quality.judge import FEATURES
from lab.quality.methods import Method
from lab.quality.splits import OTHERS, REFERENCES, SPLITS, first_of, pairs_of
from lab.quality.statistics import what_is_given
from lab.quality.store import Store
from lab.quality.subject import Subject, best_dtype, list_pairs, load_subject


@dataclass(frozen=True)
class Part:
    """Some pairs of one miniature, sampled and measured in pieces that are kept."""

    kind: str
    split: str
    pairs: int
    references: int
    folder: Path
    dtype: torch.dtype
    guidance: float | None = None
    steps: int = 0
    others: tuple[tuple[str, int], ...] = ((OTHERS, REFERENCES),)
    denoise: float = 1.0
    called: str = ""
    masked: bool = False

    @property
    def name(self) -> str:
        """Of its results; with a word of the user's where other lines of the part have a page."""
        strong = "" if self.guidance is None else f"_at_{self.guidance:g}"
        again = "" if self.denoise == 1 else f"_denoise_{self.denoise:g}"
        kept = "_masked" if self.masked else ""
        return f"{self.kind}{strong}{again}{kept}_{self.split}" + (
            f"_{self.called}" if self.called else ""
        )

    @property
    def count(self) -> int:
        """Steps of the reference."""
        return self.steps or MINIATURES[self.kind].steps

    @property
    def many(self) -> Method:
        """What all is compared with: that many plain Euler steps, or the miniature's own."""
        return methods.reference(self.count)

    @property
    def settings(self) -> str:
        """What is not the miniature's own, in words."""
        guided = "" if self.guidance is None else f"guidance {self.guidance:g}, "
        if not self.is_again:
            return guided
        part = "the middle of pictures" if self.masked else "pictures"
        return f"{guided}{part} of {BASE} Euler steps sampled again at denoise {self.denoise:g}, "

    @property
    def is_again(self) -> bool:
        """Whether pictures are sampled again, which rivals do not: they start from noise."""
        return self.masked or self.denoise < 1

    @property
    def given(self) -> str:
        """What its intervals are not over, in words."""
        return what_is_given(self.pairs, len(list_emoji()))

    @staticmethod
    def numbers(split: str, count: int) -> str:
        """Of the first pairs of a split, in words."""
        return f"{first_of(split)} to {first_of(split) + count - 1}"

    def referred(self, against: str) -> str:
        """The pictures that distances are taken to, in words."""
        if against == "real":
            return f"{self.references} held-out training pictures through the same autoencoder"
        pairs = " and ".join(f'"{one}", {self.numbers(one, count)}' for one, count in self.others)
        total = sum(count for _, count in self.others)
        steps = f"{total} pictures of {self.count} plain Euler steps of other seeds"
        return f"{steps} ({pairs}), the same prompts"

    def bench(self) -> Bench:
        """Distances of it are to real pictures."""
        subject = replace(load_subject(self.kind, self.dtype), guidance=self.guidance)
        return self._bench(self.split, self.pairs, subject)

    def drawn(self, subject: Subject) -> Measured:
        """What the model draws of other seeds with many steps."""
        found = []
        for name, count in self.others:
            bench = self._bench(name, count, subject)
            found.append(bench.measured(self.many.key, bench.samples(self.many, count)))
        return Measured.joined(found)

    def _bench(self, name: str, count: int, subject: Subject) -> Bench:
        kept, first = kept_in(self.folder, self.kind), first_of(name)
        digits = str(self.dtype).removeprefix("torch.")
        strong = "" if self.guidance is None else f"-at-{self.guidance:g}"
        again = "" if self.denoise == 1 else f"-denoise-{self.denoise:g}"
        again += "-masked" if self.masked else ""
        return Bench(
            subject,
            list_pairs(first + count)[first:],
            Store(kept / f"{name}-{digits}{strong}{again}"),
            held=Store(kept),
            reference_count=self.references,
            denoise=self.denoise,
            masked=self.masked,
        )


def part_of(options: argparse.Namespace) -> Part:
    """ValueError where it asks for pairs or references that there are not."""
    most = pairs_of(options.split)
    if not 8 <= options.pairs <= most:
        raise ValueError(
            f"The split {options.split} has 8 to {most} pairs to measure, got {options.pairs}: set "
            "--pairs."
        )
    if options.references > REFERENCES:
        raise ValueError(
            f"Distances are taken to at most {REFERENCES} pictures, as those after them are of a "
            f"split, got {options.references}: set --references."
        )
    if options.guidance is not None and options.guidance <= 0:
        raise ValueError(
            f"A guidance is above 0, got {options.guidance:g}: leave --guidance out for the "
            "model's own."
        )
    if not 0 < options.denoise <= 1:
        raise ValueError(
            f"--denoise lies in (0, 1], got {options.denoise:g}: 1 samples from noise."
        )
    if not re.fullmatch("[a-z0-9]*", options.called):
        raise ValueError(
            f"--called is one word of small letters and digits, got {options.called!r}: it goes "
            "into names of files."
        )
    others = others_of(options)
    for count, option in (
        (options.references, "references"),
        (sum(dict(others).values()), "others"),
    ):
        if count <= FEATURES:
            raise ValueError(
                f"Distances are taken to more pictures than the judge has features, {FEATURES}, "
                f"got {count}: set --{option}."
            )
    return Part(
        options.model,
        options.split,
        options.pairs,
        options.references,
        Path(options.out),
        best_dtype(),
        options.guidance,
        options.many,
        others,
        options.denoise,
        options.called,
        options.masked,
    )


def others_of(options: argparse.Namespace) -> tuple[tuple[str, int], ...]:
    """Name and count of each of `--others`; a count left out is that of `--references`."""
    found = {}
    for asked in options.others:
        name, _, count = asked.partition(":")
        found[name] = int(count or options.references)
        known = [one for one in (OTHERS, *SPLITS) if one != options.split]
        if name not in known or not 1 <= found[name] <= pairs_of(name):
            raise ValueError(
                "Distances to the model's own pictures are taken to those of other pairs, "
                + ", ".join(f"{one}:{pairs_of(one)}" for one in known)
                + f" at most, got {asked}: set --others."
            )
    return tuple(found.items())
