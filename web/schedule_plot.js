// The plan as two curves: noise level at each step, and how often each time is visited.
import { api } from "../../scripts/api.js";
import { keep, kept, placesOf } from "./kept.js";
import { planMarkup, shiftWords } from "./markup.js";
import { whenRan, whetherAsked } from "./told.js";
import { isThere } from "./watch.js";
import { addElement, fromMarkup, paragraph } from "./widget.js";
import { words } from "./words.js";

const HEIGHT = 210; // about what three stages take
const REMEMBERED = 50; // answers at most
const SIZE = ["width", "height"]; // only a MODEL makes the schedule depend on them, which a run reads
const answers = new Map(); // of the server: equal nodes ask once
let connections = 0; // to the server, which may have been away

api.addEventListener("reconnected", () => {
  connections += 1;
});

export function addPlot(node) {
  const panel = addElement(node, "ralu_plot", HEIGHT);
  let shown; // what the plot was drawn for
  let ran; // the values of the last run
  let runs = 0;

  const show = async () => {
    ran ??= kept(placesOf(node), "ralu_schedule");
    const asked = question(node);
    const key = JSON.stringify([asked, runs, !ran, connections]);
    if (key === shown) return;
    shown = key;
    if (ran && sameNumbers(asked.numbers, ran.widgets)) {
      return draw(ran, words().solved(shiftWords(ran)));
    }
    if (asked.unknown) return panel.show(paragraph(words().wired(asked.unknown)));
    const [values, problem] = await solve(asked.numbers);
    if (key !== shown || !isThere(node)) return; // the widgets have changed since
    if (problem) return panel.show(paragraph(problem));
    const shift = shiftWords(values);
    draw(values, asked.model ? words().model_decides(shift) : shift);
  };

  const draw = (values, origin) => panel.show(fromMarkup(planMarkup(values, origin)));

  panel.watch(show);
  whenRan(node, "ralu_schedule", whetherAsked(panel), (last) => {
    ran = last;
    keep(placesOf(node), "ralu_schedule", ran);
    runs += 1;
  });
}

// The numbers that a run would get, as far as the graph tells; `unknown` names one that it does not.
function question(node) {
  const numbers = {};
  for (const { name, value, serialize } of node.widgets ?? []) {
    if (serialize !== false) numbers[name] = value;
  }
  let unknown;
  let model = false;
  for (const [slot, { name, widget }] of (node.inputs ?? []).entries()) {
    if (!node.isInputConnected(slot)) continue;
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

function solve(numbers) {
  const known = Object.entries(numbers).filter(([, value]) => value !== undefined);
  const query = String(new URLSearchParams(known));
  if (!answers.has(query)) {
    if (answers.size >= REMEMBERED) answers.delete(answers.keys().next().value);
    answers.set(query, ask(query));
  }
  return answers.get(query);
}

async function ask(query) {
  try {
    const answer = await api.fetchApi(`/ralu/schedule?${query}`);
    const values = await answer.json();
    return answer.ok ? [values, null] : [null, values.error];
  } catch {
    answers.delete(query);
    return [null, words().no_server];
  }
}
