import assert from "node:assert/strict";
import { test } from "node:test";
import { madeUpRun } from "@tokenstorm/testkit";
import { bakePage, DATA_MARK, TITLE_MARK } from "./bake-page.js";
import { runData } from "./run-data.js";

const TEMPLATE = `<title>${TITLE_MARK}</title><script type="application/json">${DATA_MARK}</script><p>after</p>`;
const NAMES = [
  "</script><script>alert(1)</script>",
  "<!-- <script>",
  "]]> & $& $1 $' \\u003c",
  "line\u2028and\u2029paragraph",
  `${DATA_MARK} ${TITLE_MARK}`,
];

for (const name of NAMES) {
  test(`a run may be called ${JSON.stringify(name)} and stays inside its script tag`, async () => {
    const data = await runData(
      madeUpRun({ agents: 1, levels: [1], levelMs: 2000, seed: 1, name, model: name }),
    );
    const page = bakePage(TEMPLATE, data);
    const from = page.indexOf('json">') + 'json">'.length;
    const to = page.indexOf("</script>", from);
    assert.deepEqual(JSON.parse(page.slice(from, to)), JSON.parse(JSON.stringify(data)));
    assert.equal(page.slice(to), "</script><p>after</p>");
    assert.doesNotMatch(page.slice(from, to), /[<>\u2028\u2029]/);
    const title = page.slice(page.indexOf("<title>") + 7, page.indexOf("</title>"));
    assert.doesNotMatch(title, /[<>]/);
  });
}

test("what is no template is refused in one line", async () => {
  const data = await runData(madeUpRun({ agents: 1, levels: [1], levelMs: 2000, seed: 1 }));
  assert.throws(() => bakePage("<html></html>", data), /no one place for the data/);
});
