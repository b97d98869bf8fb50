// The three stages as two curves: noise level at each step, and how often each time is visited.
import { api } from "../../scripts/api.js";
import { addElement, also, fitHeight, fixed, short } from "./widget.js";

const HEIGHT = 208;
const CHECK_MS = 150;
const SIZE = ["width", "height"]; // the schedule does not depend on them
const BOX = { left: 16, top: 14, right: 196, bottom: 94 };

export function addPlot(node) {
  const { root } = addElement(node, "ralu_plot", HEIGHT);
  let shown; // what the plot was drawn for
  let ran; // the values of the last run
  let runs = 0;

  const show = async () => {
    const asked = question(node);
    const key = JSON.stringify([asked, runs]);
    if (key === shown) return;
    shown = key;
    if (ran && sameNumbers(asked.numbers, ran.widgets)) {
      return draw(root, ran, `solved for model shift ${short(ran.model_shift, 4)}, as last run`);
    }
    if (asked.unknown) {
      return say(root, `A wire sets ${asked.unknown}: the plot is drawn after a run.`);
    }
    const [values, problem] = await solve(asked.numbers);
    if (key !== shown) return; // the widgets have changed since
    if (problem) return say(root, problem);
    const shift = short(values.model_shift, 4);
    draw(root, values, `for model shift ${shift}${asked.model ? "; a run reads the MODEL's" : ""}`);
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

// Numbers only, so that nothing in it needs escaping.
function draw(root, values, origin) {
  const stages = [0, 1, 2].map(
    (k) => `<tr class="stage${k + 1}"><td>stage ${k + 1}</td><td>${values.steps[k]} steps</td>
      <td>${values.tokens[k]} tokens</td><td>h ${short(values.shifts[k], 4)}</td></tr>`,
  );
  root.innerHTML = `<div class="plots">${sigmaPlot(values)}${densityPlot(values)}</div>
    <table>${stages.join("")}</table>
    <p>z ${short(values.z, 4)}, c ${short(values.c, 3)}, JS distance ${fixed(values.js_distance, 4)},
      ${fixed(values.speed_up, 2)}x fewer FLOPs than ${values.plain_steps} plain steps at
      ${values.width}x${values.height}</p>
    <p class="origin">${origin}</p>`;
}

function sigmaPlot({ sigmas, steps }) {
  const total = steps[0] + steps[1] + steps[2];
  let done = 0;
  const curves = sigmas.map((levels, k) => {
    const points = levels.map((sigma, i) => at((done + i) / total, sigma));
    done += steps[k];
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="1.6"/>`);
    return `<g class="stage${k + 1}">${line(points)}${dots.join("")}</g>`;
  });
  return frame("sigma at each step", "0", "1", curves.join(""), `${total} steps`);
}

function densityPlot({ times, actual, target }) {
  const top = 1.05 * Math.max(...actual, ...target);
  const curve = (ys) => line(times.map((t, i) => at(t, ys[i] / top)));
  const curves = `<g class="target">${curve(target)}</g><g class="actual">${curve(actual)}</g>
    <text class="actual" x="192" y="26" text-anchor="end">P(t)</text>
    <text class="target" x="192" y="37" text-anchor="end">P_target(t)</text>`;
  return frame("visits of time t = 1 - sigma", "0", fixed(top, 0), curves, "t = 1");
}

function at(x, y) {
  const { left, top, right, bottom } = BOX;
  return [fixed(left + x * (right - left), 2), fixed(bottom - y * (bottom - top), 2)];
}

const line = (points) => `<polyline points="${points.map((p) => p.join(",")).join(" ")}"/>`;

function frame(title, low, high, curves, end) {
  const { left, top, right, bottom } = BOX;
  return `<svg viewBox="0 0 200 106">
    <rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>
    <text x="${left}" y="9">${title}</text>
    <text x="${left - 3}" y="${bottom}" text-anchor="end">${low}</text>
    <text x="${left - 3}" y="${top + 6}" text-anchor="end">${high}</text>
    <text x="${left}" y="${bottom + 10}">0</text>
    <text x="${right}" y="${bottom + 10}" text-anchor="end">${end}</text>${curves}</svg>`;
}
