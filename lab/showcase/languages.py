"""How each language of the locales says what the pack's tables hold."""

from __future__ import annotations

from typing import Any

# Parts of sentences, as `nodes.host.families.words.Words` names them; English is its own default.
PARTS: dict[str, dict[str, str]] = {
    "en": {},
    "zh": {
        "comma": "、",
        "also": " 和 ",
        "either": " 或 ",
        "or_else": "，",
        "semicolon": "；",
        "space": "",
        "preset_for": "{models} 则为 {preset}",
        "group": "{models}：{presets}",
        "guidance_for": "{models} 用 {span}",
        "span": "{low:g} 到 {high:g}",
        "untold_model": "{model} 无法与 {like} 区分，请为它连接选用 {preset} 的调度。",
    },
    "ja": {
        "comma": "、",
        "also": "、",
        "either": "、",
        "or_else": "、",
        "semicolon": "。",
        "space": "",
        "preset_for": "{models} には {preset}",
        "group": "{models}：{presets}",
        "guidance_for": "{models} は {span}",
        "span": "{low:g}〜{high:g}",
        "untold_model": "{model} は {like} と区別できないため、{preset} のスケジュールを接続してください。",
    },
    "ko": {
        "also": ", ",
        "either": ", ",
        "or_else": ", ",
        "preset_for": "{models}에는 {preset}",
        "guidance_for": "{models}: {span}",
        "span": "{low:g}~{high:g}",
        "untold_model": "{model} 모델은 {like} 모델과 구별할 수 없으므로 {preset} 스케줄을 연결하세요.",
    },
}

SAMPLES = ("RALU_Sampler", "description")
MODEL = ("RALU_Sampler", "inputs", "model", "tooltip")
CFG = ("RALU_Sampler", "inputs", "cfg", "tooltip")
SCHEDULE = ("RALU_Sampler", "inputs", "schedule", "tooltip")
SCHEDULE_ADVANCED = ("RALU_SamplerAdvanced", "inputs", "schedule", "tooltip")
PRESET = ("RALU_Schedule", "inputs", "preset", "tooltip")
FORECASTS = ("RALU_TemporalAcceleration", "description")
FORECAST_MODEL = ("RALU_TemporalAcceleration", "inputs", "model", "tooltip")

_ZH_MODEL = "{any_model}，可带任意 LoRA。"
_ZH_SCHEDULE = (
    "来自 RALU NT-Matching 调度。未连接时使用为该模型推荐的预设（{recommended}），并按该模型求解。"
    "{untold}"
)
_JA_MODEL = "{any_model}。LoRA も使えます。"
_JA_SCHEDULE = (
    "RALU NT-Matching スケジュールから。未接続の場合は、モデルに推奨されるプリセット"
    "（{recommended}）をそのモデルに合わせて解きます。{untold}"
)
_KO_MODEL = "{any_model} 모델이며 LoRA도 쓸 수 있습니다."
_KO_SCHEDULE = (
    "RALU NT-Matching 스케줄에서 받습니다. 연결하지 않으면 모델에 권장되는 프리셋({recommended})을 "
    "그 모델에 맞춰 풉니다. {untold}"
)

# Entries of a locale file that name models or presets; English is what the schemas say.
ENTRIES: dict[str, dict[tuple[str, ...], str]] = {
    "zh": {
        SAMPLES: "分三个阶段采样 {models}：先半尺寸，再提前放大边缘，最后全尺寸。图像尺寸不变，无需训练，"
        "计算量仅为 KSampler 的 1/2 到 1/7。",
        MODEL: _ZH_MODEL,
        CFG: "无分类器引导强度：{guidance}。用 1 的模型从条件中取得引导值，或已经过蒸馏。",
        SCHEDULE: _ZH_SCHEDULE,
        SCHEDULE_ADVANCED: _ZH_SCHEDULE,
        PRESET: "论文发表的设置；5x 是速度与质量的平衡，7x 适合草图。{presets}。",
        FORECASTS: "用前面的步预测部分步，使其几乎不耗算力。可在 RALU 采样器的每个阶段内使用，"
        "也可配合普通 KSampler，支持 {forecast}。",
        FORECAST_MODEL: _ZH_MODEL,
    },
    "ja": {
        SAMPLES: "{models} を 3 ステージでサンプリングします：半分のサイズ、エッジの先行拡大、フルサイズ。"
        "同じ画像サイズのまま、学習なしで、計算量は KSampler の 2〜7 分の 1 です。",
        MODEL: _JA_MODEL,
        CFG: "Classifier-free guidance：{guidance}。1 のモデルは、ガイダンスを条件付けから受け取るか、"
        "蒸留されています。",
        SCHEDULE: _JA_SCHEDULE,
        SCHEDULE_ADVANCED: _JA_SCHEDULE,
        PRESET: "論文の設定です。5x はバランス型、7x は下書き向け。{presets}。",
        FORECASTS: "前のステップから一部のステップを予測し、その計算をほぼゼロにします。RALU サンプラーの"
        "各ステージ内でも、通常の KSampler でも使えます。対応モデル：{forecast}。",
        FORECAST_MODEL: _JA_MODEL,
    },
    "ko": {
        SAMPLES: "{models} 모델을 세 단계로 샘플링합니다: 절반 크기, 가장자리 먼저 확대, 전체 크기. "
        "이미지 크기는 그대로, 학습도 없이 연산량이 KSampler의 1/2~1/7입니다.",
        MODEL: _KO_MODEL,
        CFG: "Classifier-free guidance: {guidance}. 1인 모델은 가이던스를 조건에서 받거나 "
        "증류되어 있습니다.",
        SCHEDULE: _KO_SCHEDULE,
        SCHEDULE_ADVANCED: _KO_SCHEDULE,
        PRESET: "논문에 발표된 설정입니다. 5x는 균형, 7x는 초안용입니다. {presets}.",
        FORECASTS: "앞선 스텝으로 일부 스텝을 예측해 계산을 거의 없앱니다. RALU 샘플러의 각 단계 "
        "안에서도, 일반 KSampler에서도 쓸 수 있습니다. 지원 모델: {forecast}.",
        FORECAST_MODEL: _KO_MODEL,
    },
}


def parts_said(words: Any) -> dict[str, str]:
    """What a language says of models and presets, by the names that templates and marks have."""
    names = ("models", "any_model", "forecast", "recommended", "untold", "presets", "guidance")
    return {name: getattr(words, name)() for name in names}
