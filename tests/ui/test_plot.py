"""The plot of the schedule node, in both renderers."""

from __future__ import annotations

import re

import graphs
import pytest
from panels import dispatch
from playwright.sync_api import expect
from plots import PLOT, plot_text, wait_for_plot


def test_plot_follows_the_widgets(tab):
    tab.load(graphs.schedule_only())
    first = wait_for_plot(tab)
    text = plot_text(tab)
    assert re.search(r"4 steps\s+1024 tokens\s+h 5\.1", text), text
    assert re.search(r"z 10\.\d+, c 0\.0\d+, JS distance 0\.01\d+", text), text
    assert "for model shift 3.158" in text
    tab.screenshot("plot")
    tab.set_widget(1, "steps_1", 9)
    second = wait_for_plot(tab, first)
    assert len(second.split()) == 10 > len(first.split())
    tab.set_widget(1, "preset", "SD3 2x")
    wait_for_plot(tab, second)
    assert "for model shift 3" in plot_text(tab) and "28 plain steps" in plot_text(tab)


def test_a_server_that_was_away_is_asked_again(tab):
    tab.page.route("**/ralu/schedule?*", lambda route: route.abort())
    tab.load(graphs.schedule_only())
    plot = tab.page.locator(PLOT)
    expect(plot).to_contain_text("No plot: the server does not answer.")
    tab.page.unroute("**/ralu/schedule?*")
    dispatch(tab, "reconnected", {})
    expect(plot).to_contain_text("for model shift 3.158")


def test_plot_follows_a_click(tab, request):
    tab.load(graphs.schedule_only())
    first = wait_for_plot(tab)
    if tab.name == "nodes2":
        tab.page.locator("[data-node-id='1'] button[role=combobox], [data-node-id='1'] .p-select")
        tab.page.locator("[data-node-id='1']").get_by_text("FLUX 5x").click()
        tab.page.get_by_role("option", name="FLUX 7x").click()
    else:
        x, y = tab.page.evaluate(
            """() => { const n = app.rootGraph.getNodeById(1);
              const w = n.widgets.find(w => w.name === 'preset');
              const { scale, offset } = app.canvas.ds;
              const box = document.querySelector('#graph-canvas').getBoundingClientRect();
              return [box.x + (n.pos[0] + n.size[0] - 25 + offset[0]) * scale,
                      box.y + (n.pos[1] + w.last_y + 12 + offset[1]) * scale]; }"""
        )
        tab.page.mouse.click(x, y)  # the arrow to the next option
    wait_for_plot(tab, first)
    expect(tab.page.locator(PLOT)).to_contain_text("2 steps")


def test_plot_tells_in_a_sentence_what_cannot_be(tab):
    tab.load(graphs.schedule_only(end_sigma_1=0.3))
    plot = tab.page.locator(PLOT)
    expect(plot).to_contain_text("Each stage must end at a lower noise level")
    assert plot.locator("svg").count() == 0
    tab.screenshot("plot_sentence")
    tab.set_widget(1, "end_sigma_1", 0.8)
    wait_for_plot(tab)


def test_plot_reads_numbers_from_wires(tab):
    number = graphs.node(2, "PrimitiveInt", -300, 0, [512, "fixed"], outputs=graphs.outputs("INT"))
    schedule = graphs.node(1, "RALU_Schedule", 100, 100, graphs.schedule_values())
    links = [[2, 0, 1, "width", "INT"]]
    tab.load(graphs.graph(schedule, number, links=links, wired_widgets=("width",)))
    expect(tab.page.locator(PLOT)).to_contain_text("at 512x1024")
    tab.set_widget(2, "value", 768)
    expect(tab.page.locator(PLOT)).to_contain_text("at 768x1024")
    # A copy that is made on the way has the wire and no graph to find the number in.
    tab.page.evaluate(
        "() => { app.rootGraph.convertToSubgraph(new Set([app.rootGraph.getNodeById(1)])); }"
    )
    tab.page.wait_for_timeout(500)


LEFT = {
    "copy": "() => app.rootGraph.getNodeById(1).clone()",
    "subgraph": """async () => {
      const { subgraph } = app.rootGraph.convertToSubgraph(new Set([app.rootGraph.getNodeById(1)]));
      const [left] = subgraph.nodes;
      await app.loadGraphData(app.rootGraph.serialize(), true, true, // as undo does
        app.extensionManager.workflow.activeWorkflow);
      return left; }""",
}


@pytest.mark.parametrize("left", LEFT)
def test_what_is_in_no_graph_is_not_looked_at(tab, left):
    tab.load(graphs.schedule_only())
    wait_for_plot(tab)
    looks = tab.page.evaluate(
        f"""async () => {{
          const left = await ({LEFT[left]})();
          const all = [app.rootGraph, ...app.rootGraph.subgraphs.values()];
          const [live] = all.flatMap(({{ nodes }}) => nodes).filter(n => n.type === left.type);
          const counts = [left, live].map(node => {{
            const seen = {{ count: 0 }}, before = node.isInputConnected;
            node.isInputConnected = (...args) => {{
              seen.count++;
              return before.apply(node, args); }};
            return seen; }});
          await new Promise(done => setTimeout(done, 600));
          return counts.map(({{ count }}) => count); }}"""
    )
    assert looks[0] == 0 < looks[1]


def test_more_flops_are_not_called_fewer(tab):
    tab.load(graphs.schedule_only(steps_3=1000))
    expect(tab.page.locator(PLOT)).to_contain_text(
        re.compile(r"\b2\d\.\d\dx more model FLOPs than 50")
    )


@pytest.mark.parametrize("width", [220, 700])
def test_plot_grows_with_the_node_and_is_never_cut(tab, width):
    graph = graphs.schedule_only()
    graph["nodes"][0]["size"] = [width, 100]
    tab.load(graph)
    wait_for_plot(tab)
    tab.page.wait_for_timeout(400)
    shown, whole, gap, text = tab.page.evaluate(
        """() => { const plot = document.querySelector('.ralu_plot'), body = plot.firstChild;
          const node = app.rootGraph.getNodeById(1);
          const { last_y, computedHeight } = node.widgets.find(w => w.name === 'ralu_plot');
          const below = LiteGraph.vueNodesMode ? 0 : node.size[1] - last_y - computedHeight;
          return [plot.offsetHeight, body.offsetHeight, below,
                  parseFloat(getComputedStyle(body).fontSize)]; }"""
    )
    assert whole <= shown <= whole + 30 and gap < 30
    assert text == (10.5 if width == 220 else 17)
    tab.screenshot(f"plot_{width}")


def test_equal_plots_ask_once_and_in_no_deprecated_way(tab):
    asked, warned = [], []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.on("console", lambda message: warned.append(message.text))
    values = graphs.schedule_values(ratio=0.11)
    nodes = [graphs.node(k, "RALU_Schedule", 400 * k, 100, values) for k in range(1, 6)]
    tab.load(graphs.graph(*nodes))
    five = "() => document.querySelectorAll('.ralu_plot .stage1 polyline').length === 5"
    tab.page.wait_for_function(five)
    assert len([url for url in asked if "ralu/schedule" in url and "ratio=0.11" in url]) == 1
    script = "/extensions/ralu/"
    assert not [text for text in warned if "deprecated" in text and script in text]


def test_plot_does_not_reach_the_server_or_the_file(tab):
    tab.load(graphs.schedule_only())
    wait_for_plot(tab)
    saved = tab.page.evaluate("() => app.rootGraph.serialize().nodes[0].widgets_values")
    assert saved == graphs.schedule_values()
    prompt = tab.page.evaluate("async () => (await app.graphToPrompt()).output")
    assert not any("plot" in name for name in prompt["1"]["inputs"])


@pytest.mark.parametrize("size", [[440, 100], [700, 580]])
def test_a_file_is_saved_as_tall_whatever_its_plot_needs(tab, size, is_newer):
    """Else the frontend takes it for changed as soon as the plot has been drawn."""
    if tab.name == "nodes2" and not is_newer:
        pytest.skip("its first Nodes 2.0 gives nodes heights of its own")
    graph = graphs.schedule_only()
    graph["nodes"][0]["size"] = size
    tab.load(graph)
    wait_for_plot(tab)
    tab.page.wait_for_timeout(500)
    at_first, saved = tab.page.evaluate(
        """() => { const { changeTracker } = app.extensionManager.workflow.activeWorkflow;
          return [changeTracker.initialState, app.rootGraph.serialize()]
            .map(({ nodes }) => nodes[0].size); }"""
    )
    assert saved == at_first


def test_another_tabs_plan_is_not_drawn_on_this_one(tab):
    ids = []
    for preset in ("FLUX 7x", "FLUX 5x"):
        tab.load(graphs.schedule_only(preset=preset))
        ids.append(tab.page.evaluate("() => app.rootGraph.id"))
    wait_for_plot(tab)
    ran = """([workflow, shift]) => fetch('/ralu/schedule?preset=FLUX 5x').then(one => one.json())
      .then(plan => app.rootGraph.getNodeById(1).onExecuted({ ralu_schedule:
        [{ ...plan, model_shift: shift, widgets: { preset: 'FLUX 5x' }, workflow }] }))"""
    for workflow, shift in ((ids[0], 7.25), (ids[1], 6.25)):
        tab.page.evaluate(ran, [workflow, shift])
        tab.page.wait_for_timeout(500)
        assert ("as last run" in plot_text(tab)) == (workflow == ids[1])
        assert ("6.25" in plot_text(tab)) == (workflow == ids[1])
