"""Prompts and notes of the text-to-picture workflows, in plain words."""

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

HOW = (
    "RALU samples the picture at half its size first, then only the regions with edges at full "
    "size, and last the whole picture."
)


def cost(steps: str, full_size: str, plain: int) -> str:
    """What a run costs, and what it is compared with."""
    return (
        f"{steps} cost as much model compute as about {full_size} full-size steps. The paper "
        f"compares them with {plain} such steps."
    )


SMALLER_FILES = (
    "**Less memory?** fp8 files of the model and of T5 work as well, and so do GGUF files through "
    "the loaders of the ComfyUI-GGUF pack: only the loaders change."
)

FLUX_5X = f"""## FLUX.1-dev, about 5x less work
{HOW}

{cost("15 steps in three stages (4 + 5 + 6)", "9", 50)}"""

FLUX_7X = f"""## FLUX.1-dev, about 7x less work
{HOW}

{cost("10 steps in three stages (2 + 3 + 5)", "6.5", 50)} It takes less work than
FLUX 5x."""

BEGIN_HERE = """## Begin here: FLUX.1-dev out of one file
One checkpoint holds the model, its text encoders and its VAE. Put it into the folder below, press
Run, then try the dial **quality** of the node RALU.

RALU lies on the MODEL wire, and the KSampler behind it takes fewer steps than it asks for: at
*balanced* 7 steps of second order, near the picture that many steps draw of the same seed. They
cost as much model compute as 7 of the KSampler's 20.

In your own workflows: right-click the KSampler, *Put RALU in front*. If you see none, it is in a
subgraph: open that by the icon in its title bar, in Nodes 2.0 by *Enter* at its foot."""

FLUX_IN_FRONT = """## RALU in front of a KSampler
The node RALU lies on the MODEL wire, and the KSampler behind it takes fewer steps than it asks
for. In your own workflows: right-click the KSampler, *Put RALU in front*.

At *balanced* FLUX.1-dev is sampled in 7 steps of second order, near the picture that many steps
draw of the same seed. They cost as much model compute as 7 of the KSampler's 20."""

KNOBS_IN_FRONT = """### RALU
- **quality**: *fine* is nearer to the picture of many steps, *draft* farther and faster; *paper* is
  RALU as published, which draws half size first and regions with edges next.
- Everything else may stay as it is.

### KSampler
- **sampler_name** stays *euler*; RALU puts steps of second order in its place.
- **steps** are what the saving is told against; **scheduler** has no effect."""

FEWER = """RALU leaves 3 of them, of the whole picture: 1.3x fewer. The paper's own
plan for 4 steps is under **quality** *paper*."""

FLUX_SCHNELL = f"""## FLUX.1-schnell in 4 steps
schnell draws in 4 steps. {FEWER}"""

SD3_2X = f"""## Stable Diffusion 3 Medium, about 2x less work
{HOW}

{cost("20 steps in three stages (5 + 6 + 9)", "12.6", 28)} The file is behind a licence form on
its page."""

SD3_3X = f"""## Stable Diffusion 3 Medium, about 3x less work
{HOW}

{cost("12 steps in three stages (3 + 3 + 6)", "7.7", 28)} The file is behind a licence form on its
page."""

SD35_3X = f"""## Stable Diffusion 3.5 Large, about 3x less work
{HOW}

{cost("12 steps in three stages (3 + 3 + 6)", "7.8", 28)}

SD3.5 Medium runs with the same wiring: choose a checkpoint that holds its text encoders, such as
*sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors* of the same page."""

SD35_TURBO = f"""## Stable Diffusion 3.5 Large Turbo in 4 steps
Turbo draws in 4 steps. {FEWER}

The model's file is behind a licence form on its page and holds no text encoders, so they are loaded
beside it."""

EDGES = """## Which regions grow early?
RALU gives full size first to the regions of the picture with most edges. Load any picture to see
which ones they would be: they are outlined, the rest is darkened.

- **ratio**: the share of regions. The presets use 10 to 30 %.
- **edge_detector**: *canny* is the paper's. *latent_gradient* reads a latent, not a picture:
  connect a latent and its VAE for it.
- **edge_threshold** above 0 takes every region with at least that share of edge pixels, so that
  a busy picture gets more of them than a calm one. The ratio is then not used."""

SCHEDULE = """- **preset** is the plan; while it is connected **quality** has no effect.
- **shifts**: *match the model* solves the noise levels for the connected model, in milliseconds;
  *published* takes the paper's numbers.
- **steps, end_sigma, ratio** at 0 keep the preset's values. In Nodes 2.0 they are under *Show
  advanced inputs*, as some of the sampler's are."""

REGION_MASK = """- **region_mask** (optional): what is white there always grows early, a face
  for example."""

EXPERT = (
    """- **edge_detector, edge_threshold, upsampling**: leave them unless you compare methods."""
)

KNOBS = f"""{SCHEDULE}
- **Guidance** 3.5 is the paper's. **cfg** stays 1: Flux has no negative prompt.
{REGION_MASK}
{EXPERT}"""

KNOBS_CFG = f"""{SCHEDULE}
- **cfg**: 4 to 7. It works as in a KSampler, with the negative prompt.
{REGION_MASK}
{EXPERT}"""

KNOBS_DISTILLED = """### RALU Sampler
- **quality**: *fine*, *balanced* and *draft* leave 3 of 4 steps, *paper* takes 4 whose first 2 cost
  less.
- **plain_steps** 4: tells that the model is made for so few.
- **cfg** stays 1: a distilled model has its guidance built in.
- Everything else may stay as it is."""

FLUX_5X_TAYLORSEER = f"""## FLUX.1-dev, RALU 5x and TaylorSeer
{HOW}

Inside each stage TaylorSeer computes some steps and forecasts the others from them, so that they
cost almost nothing. For quick previews: expect some loss of small detail against RALU alone."""

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
