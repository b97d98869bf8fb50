// What the server tells a node of a run, and whether the node still has the settings that ran.
import { api } from "../../scripts/api.js";
import { isOff } from "./comes_from.js";
import { keep, kept, placesInTab, placesOf } from "./kept.js";
import { isOwn, isRunning } from "./prompts.js";
import { also } from "./widget.js";
import { nodeBefore } from "./wires.js";

const KINDS = ["ralu_run", "ralu_schedule", "ralu_report"];
const DRAWN = ["seed", "noise_seed"]; // no plan follows them

// Whether the node was queued since it was made, which it is anew with each opened tab.
export function whetherAsked({ widget }) {
  let asked = false;
  widget.beforeQueued = () => {
    asked = true;
  };
  return () => asked;
}

// Call `tell` with what a run of the node's own workflow sent it.
export function whenRan(node, what, isAsked, tell) {
  also(node, "onExecuted", (output) => {
    const told = output?.[what]?.at(-1);
    if (told && isOwn(node, told.workflow, isAsked())) tell(told);
  });
}

// `tell` has a panel show and keep what it is given, `last` is what that was. The panel shows what was
// kept once the node has the settings that ran, and fades where it has others or runs anew.
export function telling(node, what, panel, isAsked, show) {
  let told;
  let foundAt; // where it was kept, if it was: of another tab while the file of this one is opened
  const last = () => told ?? kept(placesOf(node), what);
  const showIt = (next, at) => {
    told = next;
    foundAt = at;
    show(told);
  };
  panel.watch(() => {
    const [at] = placesOf(node);
    if (foundAt && foundAt !== at) {
      told = foundAt = undefined;
      panel.show();
    }
    const now = last();
    const isAsRan = hasSettings(node, now?.settings);
    if (told) panel.dim(!isAsRan || (isAsked() && isRunning(node)));
    else if (now && isAsRan) showIt(now, at);
  });
  const tell = (next) => {
    keep(placesOf(node), what, next);
    showIt(next);
  };
  return { tell, last };
}

// Of another tab's workflow, which the frontend hands to the nodes of this one.
api.addEventListener("executed", ({ detail: { display_node, node, output } }) => {
  for (const what of KINDS) {
    const told = output?.[what]?.at(-1);
    if (told) keep(placesInTab(told.workflow, display_node ?? node), what, told);
  }
});

// Whether a node and its schedule have the settings of a prompt, as `asked_settings` in
// nodes/host/showing/status.py sends them; what comes by a wire is not known.
function hasSettings(node, settings) {
  if (!settings) return true;
  const [own, plan] = settings;
  const before = nodeBefore(node, "schedule");
  const hasPlan = plan ? isWired(node, "schedule") && has(before, plan) : !before || isOff(before);
  return hasPlan && has(node, own);
}

function has(node, values) {
  const ran = (node?.widgets ?? []).filter(({ name }) => name in values && !DRAWN.includes(name));
  return ran.every(({ name, value }) => value === values[name] || isWired(node, name));
}

function isWired(node, name) {
  const slot = (node.inputs ?? []).findIndex((input) => input.name === name);
  return slot >= 0 && node.isInputConnected(slot);
}
