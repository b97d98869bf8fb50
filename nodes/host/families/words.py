"""Models and presets in sentences: what the tables hold, and how a language says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ....ralu_core.plans.presets import PRESETS
from .family import Family
from .table import FAMILIES


@dataclass(frozen=True)
class Words:
    """How a language says it; as it stands, English. The lab has the others, for the locales.

    comma, also, either, or_else
               between names: most of them, and the last two of all, of one, of several words each.
    semicolon  between parts that hold commas.
    The rest are parts, with the fields that the methods below fill in.
    """

    comma: str = ", "
    also: str = " and "
    either: str = " or "
    or_else: str = ", or "
    semicolon: str = "; "
    preset_for: str = "{preset} for {models}"
    group: str = "{models}: {presets}"
    guidance_for: str = "{span} for {models}"
    span: str = "{low:g} to {high:g}"
    untold_models: str = (
        "Some distilled models cannot be told from their base models: set plain_steps, or connect "
        "a schedule with their preset ({groups})."
    )

    def all_of(self, names: Iterable[str]) -> str:
        return self._listed(names, self.also)

    def one_of(self, names: Iterable[str]) -> str:
        return self._listed(names, self.either)

    def models(self) -> str:
        """All that run: "Flux.1, SD3 and SD3.5"."""
        return self.all_of(names_of(FAMILIES))

    def any_model(self) -> str:
        return self.one_of(names_of(FAMILIES))

    def forecast(self) -> str:
        """Those whose blocks are known, so that RALU Temporal Acceleration runs them."""
        return self.all_of(names_of(f for f in FAMILIES if f.blocks is not None))

    def lettered(self) -> str:
        """Those whose attention to the prompt can be watched."""
        return self.all_of(names_of(f for f in FAMILIES if f.text_first))

    def sized(self) -> str:
        """Those whose schedule depends on the picture's size."""
        return self.all_of(names_of(f for f in FAMILIES if f.sized))

    def recommended(self) -> str:
        """The presets that a sampler without a schedule takes."""
        told = dict.fromkeys(family.presets.default for family in FAMILIES)
        few = [
            self.preset_for.format(preset=preset, models=self.all_of(models))
            for preset, models in distilled().items()
        ]
        return self._listed([*told, *few], self.or_else)

    def untold(self) -> str:
        """The models whose preset must be chosen by hand, in one sentence."""
        found: dict[str, list[str]] = {}
        for one in filter(None, (family.presets.untold for family in FAMILIES)):
            found.setdefault(one.preset, []).append(one.model)
        return self.untold_models.format(groups=self._groups((m, [p]) for p, m in found.items()))

    def presets(self) -> str:
        """Which presets are for which models."""
        return self._groups(preset_groups())

    def guidance(self) -> str:
        """Which cfg is for which models."""
        return self.semicolon.join(
            self.guidance_for.format(
                span=f"{low:g}" if low == high else self.span.format(low=low, high=high),
                models=self.all_of(models),
            )
            for (low, high), models in guidances().items()
        )

    def _groups(self, groups: Iterable[tuple[list[str], list[str]]]) -> str:
        return self.semicolon.join(
            self.group.format(models=self.all_of(models), presets=self.comma.join(names))
            for models, names in groups
        )

    def _listed(self, names: Iterable[str], last: str) -> str:
        *most, final = list(names) or [""]
        return last.join([self.comma.join(most), final]) if most else final


ENGLISH = Words()


def names_of(families: Iterable[Family]) -> list[str]:
    return [name for family in families for name in family.short.split(", ")]


def distilled(untold: bool = False) -> dict[str, list[str]]:
    """Presets of few steps, each with its models; `untold` adds those that nothing tells."""
    found: dict[str, list[str]] = {}
    for presets in (family.presets for family in FAMILIES):
        if presets.few_steps and presets.distilled:
            found.setdefault(presets.few_steps, []).append(presets.distilled)
        if untold and presets.untold:
            found.setdefault(presets.untold.preset, []).append(presets.untold.model)
    return found


def preset_groups() -> list[tuple[list[str], list[str]]]:
    """Models, and the presets for them: a family's belong to all whose default is among them."""
    few = distilled(untold=True)
    groups = []
    for published in dict.fromkeys(preset.family for preset in PRESETS):
        names = [p.name for p in PRESETS if p.family == published and p.name not in few]
        users = [f for f in FAMILIES if f.name == published or f.presets.default in names]
        if names and users:
            groups.append((names_of(users), names))
    return [*groups, *((models, [preset]) for preset, models in few.items())]


def presets_of(family: Family) -> list[str]:
    """The presets for any model of a family."""
    own = family.presets
    groups = [names for _, names in preset_groups() if own.default in names]
    few = [own.few_steps, own.untold.preset if own.untold else None]
    names = [name for group in groups for name in group]
    return list(dict.fromkeys([*names, *(name for name in few if name)]))


def guidances() -> dict[tuple[float, float], list[str]]:
    """Values of cfg, each with its models; what nothing tells is distilled, so it takes 1."""
    found: dict[tuple[float, float], list[str]] = {}
    for family in FAMILIES:
        found.setdefault(family.cfg, []).extend(names_of([family]))
        if family.presets.untold:
            found.setdefault((1, 1), []).append(family.presets.untold.model)
    return found
