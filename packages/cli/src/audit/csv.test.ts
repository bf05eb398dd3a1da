import assert from "node:assert/strict";
import { test } from "node:test";
import { property } from "@tokenstorm/testkit";
import { parseCsv } from "./csv.js";

const forms: readonly (readonly [string, string, readonly (readonly string[])[]])[] = [
  [
    "commas and LF",
    "a,b\n1,2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "CRLF and no end of line",
    "a,b\r\n1,2",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "CR alone",
    "a,b\r1,2\r",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "a byte order mark",
    "\uFEFFa,b\n1,2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "semicolons",
    "a;b\n1,5;2\n",
    [
      ["a", "b"],
      ["1,5", "2"],
    ],
  ],
  [
    "tabs",
    "a\tb\n1\t2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "quoted cells",
    '"a, or A","b"\n"1","2"\n',
    [
      ["a, or A", "b"],
      ["1", "2"],
    ],
  ],
  [
    "doubled quotes",
    '"say ""a""",b\n1,2\n',
    [
      ['say "a"', "b"],
      ["1", "2"],
    ],
  ],
  [
    "a line end in a cell",
    '"a\nA",b\r\n1,2\r\n',
    [
      ["a\nA", "b"],
      ["1", "2"],
    ],
  ],
  [
    "an empty cell at the end",
    "a,b\n1,\n",
    [
      ["a", "b"],
      ["1", ""],
    ],
  ],
  [
    "empty lines between",
    "\n\na,b\n\n1,2\n,\n\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "commas in a quoted header of semicolons",
    '"a,b,c";d\n1;2\n',
    [
      ["a,b,c", "d"],
      ["1", "2"],
    ],
  ],
  [
    "a quote inside a plain cell",
    'a,b"c\n1,2\n',
    [
      ["a", 'b"c'],
      ["1", "2"],
    ],
  ],
  ["one column", "a\n1\n", [["a"], ["1"]]],
];
for (const [name, text, cells] of forms) {
  test(`csv with ${name} is read`, () => {
    assert.deepEqual(
      parseCsv(text).records.map((record) => record.cells),
      cells,
    );
  });
}

test("a record knows the line of the file on which it begins", () => {
  const { records } = parseCsv('\na,b\r\n"1\n\n1",2\r\n3,4\r\n');
  assert.deepEqual(
    records.map((record) => record.line),
    [2, 3, 6],
  );
});

test("a broken quotation names its line", () => {
  assert.throws(() => parseCsv('a,b\n1,"2\n'), /line 2: a quoted cell that never ends/);
  assert.throws(() => parseCsv('a,b\n"1"x,2\n'), /line 2: text after the closing quote/);
});

property("whatever is written with quotes is read back, cell by cell", 300, (random) => {
  const alphabet = ["a", "1", ".", " ", ",", ";", "\t", '"', "\n", "\r", "\u00e9", "\u{1f600}"];
  const cell = () => Array.from({ length: random.int(0, 6) }, () => random.pick(alphabet)).join("");
  const columns = random.int(1, 5);
  const records = Array.from({ length: random.int(1, 6) }, () => [
    // An empty line is none: the first cell always has a letter.
    `x${cell()}`,
    ...Array.from({ length: columns - 1 }, cell),
  ]);
  const delimiter = random.pick([",", ";", "\t"]);
  const end = random.pick(["\n", "\r\n"]);
  const line = (cells: readonly string[]) =>
    cells.map((one) => `"${one.replaceAll('"', '""')}"`).join(delimiter);
  const read = parseCsv(records.map((cells) => line(cells) + end).join(""));
  assert.deepEqual(
    read.records.map((record) => record.cells),
    records,
  );
});
