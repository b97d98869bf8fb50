// The plot of a plan and the table of a run, as HTML. Numbers and words of this pack only, so that
// nothing in it needs escaping.

const COLOURS = 4; // stages take them in turn, as in ralu.css
const BOX = { left: 16, top: 14, right: 196, bottom: 94 };

const fixed = (value, digits) => Number(value).toFixed(digits);
// At most that many significant digits, without trailing zeros.
const short = (value, digits) => String(Number(Number(value).toPrecision(digits)));

const colour = (number) => `stage${((number - 1) % COLOURS) + 1}`;

// The model that the plan is for; some plans fit any.
export const shiftWords = ({ model_shift }) =>
  model_shift == null ? "for any model shift" : `for model shift ${short(model_shift, 4)}`;

// What `schedule_values` in nodes/schedule_values.py sends.
export function planMarkup(values, origin) {
  const stages = values.stages.map(
    ({ number, steps, tokens, shift }) => `<tr class="${colour(number)}"><td>stage ${number}</td>
      <td>${steps} steps</td><td>${tokens} tokens</td>
      <td>${shift == null ? "" : `h ${short(shift, 4)}`}</td></tr>`,
  );
  const { matching } = values;
  return `<div class="plots">${sigmaPlot(values.stages)}${matching ? densityPlot(matching) : ""}</div>
    <table>${stages.join("")}</table>
    <p>${matching ? solved(matching) : ""}${fixed(values.speed_up, 2)}x fewer FLOPs than
      ${values.plain_steps} plain steps at ${values.width}x${values.height}</p>
    <p class="origin">${origin}</p>`;
}

function solved({ z, c, js_distance }) {
  return `z ${short(z, 4)}, c ${short(c, 3)}, JS distance ${fixed(js_distance, 4)}, `;
}

function sigmaPlot(stages) {
  const total = stages.reduce((sum, { steps }) => sum + steps, 0);
  let done = 0;
  const curves = stages.map(({ number, steps, sigmas }) => {
    const points = sigmas.map((sigma, i) => at((done + i) / total, sigma));
    done += steps;
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="1.6"/>`);
    return `<g class="${colour(number)}">${line(points)}${dots.join("")}</g>`;
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

// What `RunReport.values` in nodes/host/showing/report.py sends.
export function runMarkup(run) {
  const rows = run.stages.map(
    (stage) => `<tr class="${colour(stage.number)}"><td>stage ${stage.number}</td>
      <td>${stage.steps}</td><td>${calls(stage)}</td><td>${tokens(stage.tokens)}</td>
      <td>${fixed(stage.seconds, 2)}</td></tr>`,
  );
  return `<table class="run"><tr><th></th><th>steps</th><th>calls</th><th>tokens</th><th>seconds</th>
    </tr>${rows.join("")}</table><p>${fixed(run.seconds, 2)} s in all, of which
    ${fixed(run.loading, 2)} s until the model was loaded.</p><p>${run.comparison}</p>`;
}

// RALU Temporal Acceleration skips some of the work in these calls.
function calls(stage) {
  return stage.share < 1 ? `${stage.calls} (${fixed(100 * stage.share, 0)} %)` : `${stage.calls}`;
}

// Pictures of a batch may differ in how many regions they grow.
function tokens(counts) {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most}` : `${least} to ${most}`;
}
