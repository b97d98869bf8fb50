"""What the pack must know of a model family: the members that a family's file fills in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_base
import torch

from ....ralu_core.cost import LINEAR_FLOPS, CallCost
from ....ralu_core.latents.flow import shift_sigma
from ....ralu_core.latents.frame import Frame
from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from .bias import joint_bias
from .blocks import Blocks
from .dials import dial_for
from .patches import check_patches
from .positions import stretched
from .residuals import own_tokens
from .views import Rule

# The host computes its noise levels in float32; one shift map fits them to about 1e-6.
_FIT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Size:
    """The size of a network: transformer blocks of any kind, hidden width, and FLOPs of a block per
    token in units of width^2."""

    blocks: int
    width: int
    linear: float = LINEAR_FLOPS


@dataclass(frozen=True)
class Untold:
    """A model that looks like another of its family and needs another preset, so that people must
    tell of it: its name, and the preset's."""

    model: str
    preset: str


@dataclass(frozen=True)
class Presets:
    """Names of the presets for a family's models.

    default    where no schedule is connected.
    few_steps  the same for models distilled to few steps, which their shift tells.
    distilled  which models these are.
    untold     those that nothing tells.
    """

    default: str
    few_steps: str | None = None
    distilled: str | None = None
    untold: Untold | None = None


class Family(ABC):
    """A model family. A new one: a file that fills this in, and a line in `families.table`.

    name         key, and what presets name.
    label        for messages and the README: the models, in people's words.
    short        the same in a word or two each, with commas between, for tooltips.
    full         size of the published model, for predictions without a MODEL.
    full_shift   its shift h.
    presets      see `Presets`.
    model_class  the host's class in `comfy.model_base`; older hosts have not all of them.
    hooks        what tells such a network from others; it asks where its tokens lie by the first.
    plain_steps  the most that people sample it with plainly; None where a preset's own stand.
    few_from     steps of a user's own run from which on a plan for few of them is worth its decode.
    sized        whether the shift depends on the picture, see `shift_for`.
    cfg          from where to where people set guidance, for tooltips; 1 where the model takes it
                 as a conditioning or was distilled.
    text_tokens  that ComfyUI makes of a short prompt.
    text_padded  whether it fills a shorter text up to as many, in front.
    space        of its latents.
    one_table    whether the network has one table of positions for a whole batch, so that pictures
                 with other regions need a call of their own.
    text_first   whether picture and text meet in one attention, the text first.
    stretches    whether ScaleROPE's factors move the ids that the network embeds: it stretches its
                 grid by them, and the grid of a packed call has one row.
    views        how its networks are told of corrected views, see `families.views`.
    blocks       the form of the network's blocks, for forecasts across steps; None where it is not
                 known, and none are offered.
    why_full     why its models run at full size alone, in a few words; None where all plans run.
    has_layers   whether the frames of its latents are layers of a picture, however many.
    """

    name: str
    label: str
    short: str
    full: Size
    full_shift: float
    presets: Presets
    model_class: str
    hooks: tuple[str, ...] = ()
    plain_steps: int | None = None
    few_from: int = 4
    sized: bool = False
    cfg: tuple[float, float] = (1, 1)
    text_tokens: int
    text_padded: bool = False
    space: Space = Space()
    one_table: bool = False
    text_first: bool = False
    stretches: bool = False
    views: Rule
    blocks: type[Blocks] | None = None
    why_full: str | None = None
    has_layers: bool = False

    @property
    def is_known(self) -> bool:
        """Whether this version of the host has such models."""
        return hasattr(comfy.model_base, self.model_class)

    def matches(self, model: Any, network: Any) -> bool:
        """Whether a model of the host, with that network, is of the family: by its exact class, as
        subclasses place tokens otherwise, and by the hooks; never by its weights' type."""
        hooked = all(hasattr(network, name) for name in self.hooks)
        return type(model) is getattr(comfy.model_base, self.model_class, None) and hooked

    def stranger(self, model: Any, network: Any) -> str | None:
        """Name of a model that the host runs by this family's class, and that is none of it."""
        return None

    @abstractmethod
    def size(self, network: Any) -> Size:
        """The size of a network of the family."""

    @abstractmethod
    def positions(
        self, network: Any, packing: Packing, rows: int
    ) -> AbstractContextManager[list[int]]:
        """While open, a call of the network places the packing's tokens; see `positions`."""

    def placed(self, packing: Packing, options: dict) -> Packing:
        """The packing for `positions` of a call, by its transformer_options."""
        if not self.stretches or not options.get("rope_options"):
            return packing
        return replace(packing, positions=stretched(packing.positions, options))

    def shift(self, sampling: Any) -> float:
        """h of a host's model_sampling. ValueError where its levels follow no shift map."""
        half, quarter = (float(sampling.percent_to_sigma(part)) for part in (0.5, 0.25))
        return fit_shift(half, quarter)

    def shift_for(self, shift: float, frame: Frame, steps: int) -> float:
        """The shift with which people sample such a picture in so many plain steps.

        shift  the MODEL's own, where no node in front of it set another.
        """
        return shift

    def preset(self, shift: float) -> str:
        """The preset for a model of that shift where no schedule is connected."""
        return self.few_steps_preset(shift) or self.presets.default

    def dialled(self, quality: str) -> str:
        """The plan that one of DIALLED means, by name; not for distilled models."""
        return dial_for(self.cfg)[quality]

    def few_steps_preset(self, shift: float) -> str | None:
        """The preset for a model of that shift where that tells a distilled one."""
        return self.presets.few_steps if shift < 1.5 else None

    def text_width(self, network: Any) -> int | None:
        """Width of the text vectors that the network reads; None where they are not checked."""
        return None

    def longest_side(self, network: Any) -> int | None:
        """The largest picture in pixels each way; None without a limit."""
        return None

    def concat(self, packing: Packing, concat: torch.Tensor) -> torch.Tensor:
        """Pack the channels that the network reads beside the latent, (n, C, H, W) to a strip."""
        raise ValueError(
            f"RALU cannot carry the {concat.shape[1]} channels that this MODEL ({self.short}) "
            "reads beside the latent: use a KSampler for it."
        )

    def attention_mask(self, packing: Packing, mask: torch.Tensor, rows: int) -> torch.Tensor:
        """The attention mask for a packed call; (n, T) speaks of text alone and stays as it is."""
        return joint_bias(packing, mask, rows) if mask.ndim == 3 else mask

    def control(self, packing: Packing, control: dict) -> dict:
        """ControlNet residuals for the packing's tokens."""
        return own_tokens(packing, control)

    def check_call(self, options: dict) -> None:
        """ValueError for transformer_options that hold what a packed call cannot carry."""
        check_patches(options)

    def check_references(self, network: Any, tokens: int) -> None:
        """ValueError for so many tokens of reference pictures that a packed call cannot carry."""
        return None

    def check_size(self, network: Any, frame: Frame) -> None:
        """Refuse pictures over `longest_side`, which would fail in the last stage."""
        side = self.longest_side(network)
        if side and max(frame.grid) * frame.space.coarse_pixels > side:
            raise ValueError(
                f"This MODEL makes pictures of at most {side} pixels each way, got {frame.size}: "
                "use a smaller latent, and upscale after."
            )

    def cost(self, size: Size) -> CallCost:
        """What a call of a network of that size costs."""
        copies, splits = self.views.texts, self.views.splits
        return CallCost(
            size.blocks, size.width, self.text_tokens, size.linear, max(1, copies), splits
        )


def fit_shift(sigma_at_half: float, sigma_at_quarter: float) -> float:
    """Shift h of a model, from its noise levels at 50 % and 25 % of sampling.

    At percent p a shifted flow has sigma = shift_sigma(h, 1 - p), so h = s / (1 - s) at one half.
    The second level is the check: ValueError if both do not lie on one shift map.
    """
    if 0 < sigma_at_half < 1:
        shift = sigma_at_half / (1 - sigma_at_half)
        if abs(shift_sigma(shift, 0.75) - sigma_at_quarter) <= _FIT_TOLERANCE:
            return shift
    raise ValueError(
        "RALU needs noise levels of one shift, as ModelSamplingFlux, SD3 and AuraFlow set them, "
        f"got sigma {sigma_at_half:.6g} at 50 % and {sigma_at_quarter:.6g} at 25 % of sampling: "
        "remove the node in front of the MODEL that patches its sampling, or use a KSampler."
    )
