"""What the nodes show on the canvas, in both renderers."""

from __future__ import annotations

import re

import graphs
import pytest
from panels import LINES, PANEL, RELOAD, SHOW, a_run, undo_a_step
from playwright.sync_api import expect
from plots import PLOT, plot_text, wait_for_plot

from lab.comfy.browser import open_tab

PROMPT = "async () => (await app.graphToPrompt()).output"


def node_title(tab, id: int) -> tuple[float, float]:
    """Where on the page a node's title is."""
    tab.settle()
    return tuple(
        tab.page.evaluate(
            """(id) => { const node = app.rootGraph.getNodeById(id);
              const { scale, offset } = app.canvas.ds;
              const box = document.querySelector('#graph-canvas').getBoundingClientRect();
              return [box.x + (node.pos[0] + 60 + offset[0]) * scale,
                      box.y + (node.pos[1] - 15 + offset[1]) * scale]; }""",
            id,
        )
    )


def open_help(tab, id: int) -> None:
    """Move the node clear of the bars above, which would hide its toolbox, and ask it for help."""
    tab.page.evaluate("() => Object.assign(app.canvas.ds, { scale: 0.7, offset: [100, 200] })")
    tab.settle()
    tab.page.wait_for_timeout(300)
    tab.page.mouse.click(*node_title(tab, id))
    tab.page.get_by_test_id("info-button").click()


def test_run_shows_stages_regions_and_speed(tab):
    tab.load(graphs.sampling(seed=len(tab.name)))  # the server caches what it has run
    wait_for_plot(tab)
    expect(tab.page.locator(PANEL)).to_be_hidden()
    tab.run()
    tab.fit()
    panel = tab.page.locator(PANEL)
    expect(panel).to_be_visible()
    text = panel.inner_text()
    rows = re.findall(r"stage (\d)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.]+)", text)
    # 4, 5 and 6 steps on 64 coarse, 64 + 3 x 12 mixed and 256 fine tokens
    assert [tuple(map(int, row[:4])) for row in rows] == [
        (1, 4, 4, 64),
        (2, 5, 5, 100),
        (3, 6, 6, 256),
    ]
    assert re.search(
        r"[\d.]+x (as fast as|slower than) 50 plain steps of [\d.]+ s, as measured in stage 3", text
    )
    # The regions were shown live and stay on the node, so the panel does not repeat them.
    assert tab.page.evaluate("() => app.nodePreviewImages[5].length") == 1
    assert panel.locator("img").count() == 0
    texts = tab.page.evaluate("() => window.seen.texts")
    assert [text.split(":")[0] for text in texts[:4]] == [
        "Stage 1 of 3",
        "Looking for the regions that grow early",
        "Stage 2 of 3",
        "Stage 3 of 3",
    ]
    assert re.match(r"15 steps in [\d.]+ s: ", texts[-1])
    # The panel has that already, so the node's status does not stay.
    expect(tab.page.get_by_text(texts[-1])).to_have_count(0)
    tab.screenshot("run")
    assert "as last run" in plot_text(tab)
    undo_a_step(tab)
    expect(panel).to_contain_text("plain steps")
    assert panel.locator("img").count() == 0
    faded = tab.page.locator(f"{PANEL}.of_other_settings")
    for ratio, is_faded in ((0.25, True), (0.0, False), (0.25, True)):
        tab.set_widget(4, "ratio", ratio)
        expect(faded).to_have_count(int(is_faded))
    expect(tab.page.locator(PLOT)).to_contain_text("a run reads the MODEL's")


READ = {"TaylorSeer": ["interval", "order", "warm_up"], "TeaCache": ["threshold"]}
SHARED = ["method", "max_memory"]


def test_acceleration_shows_what_its_method_reads(tab):
    tab.load(graphs.ksampler(seed=1))
    saved = "() => app.rootGraph.getNodeById(4).serialize().widgets_values"
    values, prompt = tab.page.evaluate(saved), tab.page.evaluate(PROMPT)["4"]["inputs"]
    for method, read in READ.items():
        tab.set_widget(4, "method", method)
        tab.page.wait_for_timeout(500)
        visible = tab.page.evaluate(
            "() => app.rootGraph.getNodeById(4).widgets.filter(w => !w.hidden).map(w => w.name)"
        )
        assert sorted(visible) == sorted([*SHARED, *read])
        if tab.name == "nodes2":
            node = tab.page.locator("[data-node-id='4']")
            shown = {
                name for names in READ.values() for name in names if node.get_by_text(name).count()
            }
            assert shown == set(read)
        tab.screenshot(f"acceleration_{method}")
        assert tab.page.evaluate(saved) == [method, *values[1:]]
        assert tab.page.evaluate(PROMPT)["4"]["inputs"] == {**prompt, "method": method}


def test_skipped_steps_are_shown_on_the_sampler(tab):
    tab.load(graphs.sampling(seed=200 + len(tab.name), accelerated=True))
    tab.run()
    tab.fit()
    panel = tab.page.locator(PANEL)
    expect(panel).to_be_visible()
    rows = re.findall(r"stage (\d)\s+(\d+)\s+(\d+ \(\d+ %\))", panel.inner_text())
    assert rows == [("1", "4", "4 (50 %)"), ("2", "5", "5 (60 %)"), ("3", "6", "6 (50 %)")]
    texts = tab.page.evaluate("() => window.seen.texts")
    assert re.match(r"15 steps \(5\d % computed\) in ", texts[-1])
    expect(tab.page.locator(LINES)).to_be_visible()
    told = tab.page.locator(LINES).inner_text()
    assert re.findall(r"(.*): TaylorSeer: (\d of \d) network calls", told) == [
        ("RALU Sampler", "2 of 4"),
        ("RALU Sampler", "3 of 5"),
        ("RALU Sampler", "3 of 6"),
    ]
    tab.screenshot("run_temporal")


def test_skipped_steps_of_a_ksampler_are_told(tab):
    tab.load(graphs.ksampler(seed=len(tab.name)))
    told = tab.page.locator(LINES)
    expect(told).to_be_hidden()
    tab.run()
    tab.fit()
    text = "KSampler: TaylorSeer: 4 of 8 network calls computed, 4 skipped (FFssFssF)"
    expect(told).to_contain_text(text)
    expect(told).to_be_visible()
    box, node = told.bounding_box(), node_title(tab, 4)
    assert box["height"] > 0 and box["y"] > node[1]
    tab.screenshot("ksampler_temporal")
    tab.set_widget(5, "seed", 7 + len(tab.name))
    tab.run()
    assert told.inner_text().count("TaylorSeer") == 1  # the last run's alone
    expect(tab.page.locator(f"{LINES}.of_other_settings")).to_have_count(0)
    tab.set_widget(4, "interval", 1)
    expect(tab.page.locator(f"{LINES}.of_other_settings")).to_have_count(1)
    tab.run()
    expect(told).to_be_hidden()


def test_cached_run_is_shown_again(tab, is_newer):
    if not is_newer:
        pytest.skip("this server does not send again what a cached sampler showed")
    tab.drop("shared.json", graphs.sampling(seed=100 + len(tab.name)))
    tab.run()
    tab.load(graphs.sampling(seed=100 + len(tab.name)))
    panel = tab.page.locator(PANEL)
    expect(panel).to_be_hidden()
    tab.run()
    expect(panel).to_contain_text("plain steps")
    regions = panel.locator("img")
    expect(regions).to_be_visible()
    tab.page.wait_for_function("(img) => img.naturalWidth === 512", arg=regions.element_handle())
    tab.fit()
    tab.screenshot("cached_run")


def test_error_is_one_sentence(tab, is_newer):
    video = graphs.sampling()
    (latent,) = [node for node in video["nodes"] if node["id"] == 3]
    latent.update(type="EmptyHunyuanLatentVideo", widgets_values=[256, 256, 5, 1])
    tab.load(video)
    event = tab.wait_until_done(tab.queue())
    assert event["type"] == "execution_error" and event["detail"]["node_type"] == "RALU_Sampler"
    sentence = event["detail"]["exception_message"].strip()
    assert sentence.startswith("RALU samples still pictures, got ") and "\n" not in sentence
    if is_newer:  # else a dialog is there at once
        overlay = tab.page.get_by_test_id("error-overlay")
        overlay.get_by_role("button", name="View details").click()
    shown = tab.page.get_by_text(sentence).locator("visible=true")
    expect(shown.first).to_be_visible()
    tab.screenshot("error")


# Help, search and languages


@pytest.mark.parametrize(
    ("type", "phrase"),
    [
        ("RALU_Schedule", "How to read the plot"),
        ("RALU_Sampler", "After a run"),
        ("RALU_SamplerAdvanced", "Instead of SamplerCustomAdvanced"),
        ("RALU_EdgeMaskPreview", "What the outlines mean"),
        ("RALU_TemporalAcceleration", "Which settings"),
        ("RALU_EncodeLettering", "put quotes around"),
    ],
)
def test_help_page_opens_with_text_and_picture(tab, type, phrase):
    tab.load(graphs.graph(graphs.node(1, type, 300, 250)))
    open_help(tab, 1)
    expect(tab.page.get_by_text(phrase).first).to_be_visible()
    picture = tab.page.locator("img[src*='/extensions/ralu/docs/']").first
    expect(picture).to_be_visible()
    tab.page.wait_for_function("(img) => img.naturalWidth > 100", arg=picture.element_handle())
    tab.screenshot(f"help_{type}")


@pytest.mark.parametrize("kind", ["RALU_Sampler", "RALU_SamplerAdvanced"])
def test_a_new_sampler_begins_with_balanced_and_one_of_an_old_file_with_paper(tab, kind):
    before = [1.0, "canny", 0.0, "pixel"]  # a file saved before there was a dial
    if kind == "RALU_Sampler":
        before = [7, "fixed", 1.0, "euler", *before]
    chosen = graphs.node(2, kind, 300, 500, [*before, "fine"])
    tab.load(graphs.graph(graphs.node(1, kind, 300, 200, before), chosen))
    tab.page.evaluate("(kind) => { app.rootGraph.add(LiteGraph.createNode(kind)); }", kind)
    qualities = """() => app.rootGraph.nodes.map(
      node => node.widgets.find(({ name }) => name === 'quality').value)"""
    for _ in range(2):
        assert tab.page.evaluate(qualities) == ["paper", "fine", "balanced"]
        tab.page.evaluate(RELOAD)


@pytest.mark.parametrize("words", ["RALU Sampler", "region adaptive"])
def test_search_finds_the_sampler(tab, is_newer, words):
    if not is_newer and words != "RALU Sampler":
        pytest.skip("this frontend searches no other words than names")
    tab.load(graphs.schedule_only())
    tab.page.evaluate("() => { app.canvas.ds.scale = 0.3; }")
    tab.settle()
    tab.page.mouse.dblclick(300, tab.page.viewport_size["height"] - 150)  # far from the node
    tab.page.wait_for_function("() => document.activeElement?.tagName === 'INPUT'")
    tab.page.keyboard.type(words)
    expect(tab.page.get_by_text("RALU Sampler").first).to_be_visible()
    tab.screenshot("search")


LINE = """(more) => window.comfyAPI.api.api.dispatchCustomEvent('ralu_line',
  { prompt_id: 'one', node: '4', by: '5', text: 'In English.', ...more })"""
LANGUAGES = {
    "zh": ("RALU 采样器", "阶段 1", "按所连模型 (match the model)", "此处没有收益"),
    "ja": (
        "RALU サンプラー",
        "ステージ 1",
        "モデルに合わせる (match the model)",
        "ここでは効果がなく",
    ),
    "ko": ("RALU 샘플러", "단계 1", "모델에 맞춤 (match the model)", "여기서는 효과가 없어"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_languages(chromium, server, is_newer, language):
    if not is_newer:
        pytest.skip("this frontend shows the nodes of packs in English only")
    settings = {"Comfy.VueNodes.Enabled": True, "Comfy.Locale": language}
    with open_tab(chromium, server.url, language, settings) as tab:
        tab.load(graphs.graph(graphs.node(1, "RALU_Sampler", 300, 200)))
        expect(tab.page.get_by_text(LANGUAGES[language][0]).first).to_be_visible()
        open_help(tab, 1)
        picture = tab.page.locator("img[src*='/extensions/ralu/docs/']").first
        expect(picture).to_be_visible()
        tab.screenshot("help")
        tab.load(graphs.schedule_only())
        expect(tab.page.locator(PLOT)).to_contain_text(LANGUAGES[language][1])
        expect(tab.page.get_by_text(LANGUAGES[language][2])).to_be_visible()
        sent = tab.page.evaluate(PROMPT)["1"]["inputs"]
        assert sent["shifts"] == "match the model" and sent["preset"] == "FLUX 5x"
        tab.screenshot("choices")
        tab.load(graphs.sampling(seed=1))
        numbers = {"measured_equivalents": 30, "predicted_equivalents": 9, "plain_steps": 20}
        numbers |= {"seconds_per_full_step": 1, "published_steps": 50}
        remark = {"key": "newer", "text": "a remark", "values": {}}
        run = a_run(
            "In English.", **numbers, plan="FLUX 5x", grown="grown by dct", remarks=[remark]
        )
        tab.page.evaluate(SHOW, [run])
        panel = tab.page.locator(PANEL)
        texts = (*LANGUAGES[language][3:], "FLUX 5x", "5.56", "grown by dct; a remark")
        for text in texts:
            expect(panel).to_contain_text(text)
        tab.load(graphs.in_front(seed=1))
        tab.page.evaluate(LINE, {"run": run})
        for text in texts:
            expect(tab.page.locator(LINES)).to_contain_text(text)
        why = {"key": "too_small", "text": "In English", "values": {"least": 32}}
        tab.page.evaluate(LINE, {"why": why})
        expect(tab.page.locator(f"{LINES} p").last).to_contain_text(re.compile("32[^a-z]+$"))
        assert not tab.page_errors
