// Samplers of files from before there was a dial take the paper's plan, as they did; new ones begin with
// another.
import { also } from "./widget.js";

const BEFORE = "paper";

export function keepPlan(node) {
  also(node, "onConfigure", ({ widgets_values: saved }) => {
    const widgets = node.widgets.filter(({ serialize }) => serialize !== false);
    const place = widgets.findIndex(({ name }) => name === "quality");
    if (Array.isArray(saved) && saved.length <= place) widgets[place].value = BEFORE;
  });
}
