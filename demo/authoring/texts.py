"""Prompts and notes of the workflows, in plain words."""

from __future__ import annotations

FLUX_PROMPT = (
    "A red fox asleep in the window of an old bookshop, rain on the glass, a warm lamp behind it, "
    'shelves of worn books, a small painted sign that says "OPEN", photograph'
)
SD3_PROMPT = (
    "A lighthouse on a rocky coast at dusk, waves breaking on the stones, its lamp just lit, "
    "gulls in the air, oil painting with visible brush strokes"
)
SD3_NEGATIVE = "blurry, low contrast, watermark, frame"

_HOW = (
    "RALU samples the picture at half its size first, then only the regions with edges at full "
    "size, and last the whole picture."
)

FLUX_5X = f"""## FLUX.1-dev, about 5x less work
{_HOW}

15 steps in three stages (4 + 5 + 6) stand for 50 ordinary ones."""

FLUX_7X = f"""## FLUX.1-dev, about 7x less work
{_HOW}

10 steps in three stages (2 + 3 + 5) stand for 50 ordinary ones. Good for drafts; the 5x workflow
keeps more small detail."""

FLUX_SCHNELL = f"""## FLUX.1-schnell in 4 steps
{_HOW}

schnell needs 4 steps anyway; RALU makes 1 + 1 + 2 of them and only the last two see the whole
picture at full size."""

COMPARE = f"""## Plain sampling beside RALU
{_HOW}

Both samplers get the same model, prompt, size and seed. The pictures are alike, not equal: the
first steps are made at half the size, so composition can differ a little."""

SD3_2X = f"""## Stable Diffusion 3 Medium, about 2x less work
{_HOW}

20 steps in three stages (5 + 6 + 9) stand for 28 ordinary ones. The file is behind a licence
form on its page."""

SD3_3X = f"""## Stable Diffusion 3 Medium, about 3x less work
{_HOW}

12 steps in three stages (3 + 3 + 6) stand for 28 ordinary ones. The file is behind a licence
form on its page."""

SD35_3X = f"""## Stable Diffusion 3.5 Large, about 3x less work
{_HOW}

12 steps in three stages (3 + 3 + 6) stand for 28 ordinary ones. The same wiring runs SD3.5
Medium: choose its file."""

SD35_TURBO = f"""## Stable Diffusion 3.5 Large Turbo in 4 steps
{_HOW}

Turbo needs 4 steps anyway; RALU makes 1 + 1 + 2 of them. The model's file is behind a licence
form on its page and holds no text encoders, so they are loaded beside it."""

EDGES = """## Which regions grow early?
RALU gives full size first to the regions of the picture with most edges. Load any picture to see
which ones they would be: they are outlined, the rest is darkened.

- **ratio**: the share of regions. The presets use 10 to 30 %.
- **edge_detector**: `canny` is the paper's. `latent_gradient` reads a latent, not a picture:
  connect a latent and its VAE for it.
- **edge_threshold** above 0 takes every region with at least that share of edge pixels, so that
  a busy picture gets more of them than a calm one. The ratio is then not used."""

_SCHEDULE = """- **preset** sets steps, noise levels and the share of early regions.
- **shifts**: `match the model` solves the noise levels for the connected model, in milliseconds;
  `published` takes the paper's numbers.
- **steps, end_sigma, ratio** at 0 keep the preset's values."""

_SAMPLER = """- **region_mask** (optional): what is white there always grows early, a face
  for example.
- **edge_detector, edge_threshold, upsampling**: leave them unless you compare methods."""

KNOBS = f"""{_SCHEDULE}
- **Guidance** 3.5 is the paper's. **cfg** stays 1: Flux has no negative prompt.
{_SAMPLER}"""

KNOBS_CFG = f"""{_SCHEDULE}
- **cfg**: 4 to 7. It works as in a KSampler, with the negative prompt.
{_SAMPLER}"""

KNOBS_DISTILLED = f"""{_SCHEDULE}
- **cfg** stays 1: a distilled model has its guidance built in.
{_SAMPLER}"""

FLUX_5X_TAYLORSEER = f"""## FLUX.1-dev, RALU 5x and TaylorSeer
{_HOW}

Inside each stage TaylorSeer computes some steps and forecasts the others from them, so that they
cost almost nothing. For drafts: expect some loss of small detail against RALU alone."""

FLUX_TAYLORSEER = """## FLUX.1-dev with TaylorSeer alone
TaylorSeer computes some of the 50 steps and forecasts the others from them, at full size
throughout. The composition stays that of plain sampling with the same seed."""

KNOBS_TEMPORAL = """- **interval** 3: one step in three is computed. 2 is safer, 4 to 6 faster.
- **order** 1 extends the last computed steps by a line; 0 repeats the last one; 2 overshoots in
  RALU's short stages.
- **warm_up**: first steps that are always computed, in every stage of RALU anew. 2 is faster and
  loses detail.
- The other methods read the widgets that their tooltips name.
- Bypass the node to compare with all steps computed."""

PLAIN = """The paper compares with 50 steps of plain sampling. Set fewer to compare with the
number you use."""
