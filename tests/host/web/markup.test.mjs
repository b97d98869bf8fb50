// What the nodes draw, from the values that the server sends. pytest runs this, see test_web.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const web = (name) => readFileSync(new URL(`../../../web/${name}`, import.meta.url), "utf-8");
const asked = 'import { words } from "./words.js";';
assert.ok(web("markup.js").includes(asked));
// The frontend, which knows the language, is not here.
function markupIn(language) {
  const said = web(`words/${language}.js`).replace("export const", "const");
  const code = web("markup.js").replace(asked, `${said}\nconst words = () => ${language};`);
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}
const { plainLine, planMarkup, runLine, runMarkup, shiftWords } = await markupIn("en");

// Values as Python made them, one file for all; see `test_web.py`.
const { plans, runs, sentences } = JSON.parse(readFileSync(process.env.RALU_VALUES, "utf-8"));
const all = (html, pattern) => [...html.matchAll(pattern)].map(([, found]) => found);

for (const [name, values] of Object.entries(plans)) {
  const count = values.stages.length;
  const html = planMarkup(values, "as last run");
  const [sigmas, densities] = all(html, /(<svg.*?<\/svg>)/gs);

  test(`${name}: a row and a curve for each of ${count} stages`, () => {
    const rows = all(html, /<tr class="(stage\d)"><td>stage \d+<\/td>/g);
    const cycle = values.stages.map(({ number }) => `stage${((number - 1) % 4) + 1}`);
    assert.deepEqual(rows, cycle);
    assert.deepEqual(all(sigmas, /<g class="(stage\d)">/g), cycle);
    const curves = all(sigmas, /<polyline points="([^"]*)"/g).map((points) => points.split(" "));
    assert.deepEqual(curves.map((points) => points.length - 1), values.stages.map((s) => s.steps));
    assert.match(curves[0][0], /^22\.00,/);
    assert.match(curves.at(-1).at(-1), /^196\.00,92\.00$/); // sigma 0 after the last step
    for (const { steps, tokens } of values.stages) {
      assert.match(html, new RegExp(`<td>${steps} steps?</td>\\s*<td>${tokens} tokens</td>`));
    }
  });

  test(`${name}: the densities and z only where NT-Matching says something`, () => {
    assert.equal(densities !== undefined, values.matching !== null);
    assert.equal(html.includes("JS distance"), values.matching !== null);
    assert.equal(html.includes("P_target"), values.matching !== null);
    const names = all(html, /<svg [^>]*role="img" aria-label="([^"]+)">/g);
    assert.equal(names.length, densities ? 2 : 1); // screen readers name each plot
    assert.ok(sigmas.includes(`>${names[0]}</text>`));
  });

  test(`${name}: no number is missing`, () => {
    assert.doesNotMatch(html, /undefined|NaN|null|Infinity/);
    assert.ok(html.includes(`<b>${values.saving} at ${values.width}x${values.height}</b>`));
    assert.match(shiftWords(values), /^for (any model shift|model shift \d)/);
  });
}

test("names of other packs' functions are text, not elements", () => {
  const [run] = Object.values(runs);
  const html = runMarkup({ ...run, comparison: "steps are those of <lambda> & more" });
  assert.ok(html.includes("<p><b>steps are those of &lt;lambda&gt; &amp; more</b></p>"));
});

for (const language of ["ja", "ko", "zh"]) {
  const { plainLine: plainly, runLine: told, runMarkup: shown } = await markupIn(language);

  test(`${language}: a run's line says what its panel says`, () => {
    for (const run of Object.values(runs)) {
      const [, panel] = /<b>(.*)<\/b>/s.exec(shown(run));
      assert.ok(told(run).endsWith(panel));
      const skipped = run.share < 1 ? ` (${(100 * run.share).toFixed(0)} %)` : "";
      assert.ok(told(run).includes(` ${run.steps}${skipped}`));
      assert.doesNotMatch(told(run), /undefined|NaN|null/);
    }
  });

  test(`${language}: it has each sentence of the server's, with its values`, () => {
    const [run] = Object.values(runs);
    for (const one of sentences) {
      assert.equal(plainLine(one), undefined); // the server's own is English
      for (const line of [plainly(one), told({ ...run, remarks: [one] })]) {
        assert.ok(!line.includes(one.text), one.key);
        assert.doesNotMatch(line, /undefined|NaN|null/);
        // A count of steps comes as a number, too, as not all languages have plurals.
        const names = Object.keys(one.values).map((name) => (name === "counted" ? "steps" : name));
        for (const name of names) assert.ok(line.includes(`[${name}]`), `${one.key}: ${name}`);
      }
    }
    const keys = [...web(`words/${language}.js`).split("said: {")[1].matchAll(/^    (\w+):/gm)];
    assert.deepEqual(keys.map(([, key]) => key).sort(), sentences.map(({ key }) => key).sort());
    assert.ok(plainly({ key: "of a newer server", text: "As it is", values: {} }).includes("As it is"));
  });
}

for (const [name, run] of Object.entries(runs)) {
  const html = runMarkup(run);

  test(`${name}: a row for each stage that ran, and Python's own sentence`, () => {
    const numbers = all(html, /<td>stage (\d+)<\/td>/g).map(Number);
    assert.deepEqual(numbers, run.stages.map((stage) => stage.number));
    assert.ok(html.includes(`<p><b>${run.comparison}</b></p>`));
    assert.equal(runLine(run), undefined); // the server's own is English
    assert.doesNotMatch(html, /undefined|NaN|null|Infinity/);
  });

  test(`${name}: tokens and shares`, () => {
    const [first] = run.stages;
    const [least, most] = [Math.min(...first.tokens), Math.max(...first.tokens)];
    assert.ok(html.includes(least < most ? `<td>${least}–${most}</td>` : `<td>${most}</td>`));
    assert.equal(html.includes("%)"), run.stages.some((stage) => stage.share < 1));
  });
}
