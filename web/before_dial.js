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
  keepPlanOfPrompt(node);
}

// Of a prompt's file the frontend calls each widget that it names back, at once after it made the nodes; the
// widget of the dial, too, if it is among them. No hook tells of it.
function keepPlanOfPrompt({ widgets }) {
  const dial = widgets.find(({ name }) => name === "quality");
  let isNew = true;
  queueMicrotask(() => {
    isNew = false;
  });
  for (const widget of widgets) {
    also(widget, "callback", () => {
      if (widget === dial) isNew = false;
      else if (isNew) dial.value = BEFORE;
    });
  }
}
