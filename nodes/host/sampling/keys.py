"""Keys in `transformer_options` by which code that does not know each other speaks."""

from __future__ import annotations

# ComfyUI writes it: the state of EasyCache and LazyCache, and the key of their wrapper.
# Read by stage 2's model call and by the acceleration, which refuse what cannot stand beside them.
CACHE = "easycache"

# The pack MagCache writes it. Read by runs of several sizes, which refuse it.
MAG_CACHE = "magcache_thresh"

# Stage 2's model call writes it: which rows of the whole call the network sees, where it is called
# in parts. Read by the acceleration.
ROWS = "ralu_rows"

# Of an acceleration's wrappers, and of its run's state in the options. Read where wrappers of
# predictions are told apart by whether they change cfg.
FORECASTS = "ralu_temporal"

# An acceleration writes it: an object whose `.share`, 0 to 1, tells what share of the blocks' work
# ran so far. Read by the progress of a run.
WORK = "ralu_work"

# ComfyUI writes it for whoever counts steps; a stage's sampling writes there
# the levels of the whole run.
LEVELS = "sample_sigmas"

# A run's sampling writes it, in all its stages: that a mixed stage splits its attention by the size
# of tokens. Read by the acceleration, whose ways do not all fit.
VIEWS = "ralu_views"

# A stage's sampling writes it: the noise levels of the stage alone. Read by the acceleration, which
# holds for one stage.
STAGE_LEVELS = "ralu_stage_sigmas"

# A stage's sampling writes it into the guider's options, beside those that the network sees: traced
# graphs hold on to these. Read by the RALU node's wrapper, which lets a stage pass as it is.
IN_STAGE = "ralu_in_stage"

# Differential Diffusion writes it, and others: what makes another inpaint mask at each level.
MASK_FUNCTION = "denoise_mask_function"

# Of the RALU node's wrapper on a MODEL.
APPLIED = "ralu_applied"
