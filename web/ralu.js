// Shows on the nodes what the graph and the last run already know, none of which is saved, and offers
// RALU in the menus of samplers.
import { app } from "../../scripts/app.js";
import { keepPlan } from "./before_dial.js";
import { nameChoices } from "./choices.js";
import { addPlot } from "./schedule_plot.js";
import { addReport } from "./report.js";
import { addRunPanel } from "./run_panel.js";
import { addLines } from "./lines.js";
import { menu } from "./menu.js";
import { showOnlyRead } from "./only_read.js";

function addToSampler(node) {
  keepPlan(node);
  addRunPanel(node);
}

const ADDITIONS = {
  RALU_Apply: addLines,
  RALU_FitEnlarger: addReport,
  RALU_Schedule: addPlot,
  RALU_Sampler: addToSampler,
  RALU_SamplerAdvanced: addToSampler,
  RALU_TemporalAcceleration(node) {
    addLines(node);
    showOnlyRead(node);
  },
};

app.registerExtension({
  name: "ralu",
  setup() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./ralu.css", import.meta.url);
    document.head.append(style);
  },
  ...menu,
  nodeCreated(node) {
    if (node.comfyClass?.startsWith("RALU_")) nameChoices(node);
    ADDITIONS[node.comfyClass]?.(node);
  },
});
