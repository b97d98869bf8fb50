// The plan as two curves: noise level at each step, and how often each time is visited.
import { api } from "../../scripts/api.js";
import { planMarkup, shiftWords } from "./markup.js";
import { ROW, addElement, also, fitHeight } from "./widget.js";

const HEIGHT = 166; // without the stages' rows
const CHECK_MS = 150;
const SIZE = ["width", "height"]; // the schedule does not depend on them

export function addPlot(node) {
  const panel = addElement(node, "ralu_plot", HEIGHT + 3 * ROW);
  const { root } = panel;
  let shown; // what the plot was drawn for
  let ran; // the values of the last run
  let runs = 0;

  const show = async () => {
    const asked = question(node);
    const key = JSON.stringify([asked, runs]);
    if (key === shown) return;
    shown = key;
    if (ran && sameNumbers(asked.numbers, ran.widgets)) {
      return draw(ran, `solved ${shiftWords(ran)}, as last run`);
    }
    if (asked.unknown) {
      return say(root, `A wire sets ${asked.unknown}: the plot is drawn after a run.`);
    }
    const [values, problem] = await solve(asked.numbers);
    if (key !== shown) return; // the widgets have changed since
    if (problem) return say(root, problem);
    draw(values, `${shiftWords(values)}${asked.model ? "; a run reads the MODEL's" : ""}`);
  };

  const draw = (values, origin) => {
    root.innerHTML = planMarkup(values, origin);
    panel.setHeight(HEIGHT + ROW * values.stages.length);
    fitHeight(node);
  };

  // Widgets tell nobody when a program sets their value, so they are compared instead.
  const timer = setInterval(show, CHECK_MS);
  also(node, "onRemoved", () => clearInterval(timer));
  also(node, "onExecuted", (output) => {
    ran = output?.ralu_schedule?.[0] ?? ran;
    runs += 1;
  });
  fitHeight(node);
}

// The numbers that a run would get, as far as the graph tells; `unknown` names one that it does not.
function question(node) {
  const numbers = {};
  for (const { name, value, serialize } of node.widgets ?? []) {
    if (serialize !== false) numbers[name] = value;
  }
  let unknown;
  let model = false;
  for (const [slot, { name, widget, link }] of (node.inputs ?? []).entries()) {
    if (link == null) continue;
    if (name === "model") model = true;
    if (!widget) continue;
    numbers[name] = node.getInputNode(slot)?.widgets?.find((w) => w.name === "value")?.value;
    if (numbers[name] === undefined && !SIZE.includes(name)) unknown = name;
  }
  return { numbers, unknown, model };
}

function sameNumbers(now, then) {
  return Object.entries(then).every(([name, value]) => (now[name] ?? value) === value);
}

async function solve(numbers) {
  try {
    const known = Object.entries(numbers).filter(([, value]) => value !== undefined);
    const answer = await api.fetchApi(`/ralu/schedule?${new URLSearchParams(known)}`);
    const values = await answer.json();
    return answer.ok ? [values, null] : [null, values.error];
  } catch {
    return [null, "No plot: the server does not answer."];
  }
}

function say(root, sentence) {
  const text = document.createElement("p");
  text.textContent = sentence;
  root.replaceChildren(text);
}
