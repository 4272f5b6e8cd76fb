// SPDX-License-Identifier: BSD-2-Clause
// mist.wasm beside OpenJPH's own WebAssembly (npm: @cornerstonejs/codec-openjph 2.4.11, what Cornerstone3D 5.14 decodes with), in
// one run, in turns, on the same codestreams; both from memory, one thread, medians of 41 after 10. Prints a Markdown table.
//   scripts/check-web && node bench/web.mjs [BUILD]
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";

const source = path.dirname(path.dirname(fileURLToPath(import.meta.url))), build = path.resolve(process.argv[2] ?? path.join(source, "build"));
const require = createRequire(path.join(build, "web-packages/x.js"));
const { load, openItem } = await import(path.join(source, "web/mist.js"));
const core = await load(fs.readFileSync(path.join(build, "src/wasm/mist.wasm")));
const factory = require("@cornerstonejs/codec-openjph"), openjph = await (factory.default ?? factory)();
const work = fs.mkdtempSync(path.join(os.tmpdir(), "mist-bench-web-"));
execFileSync(path.join(build, "mist"), ["encode", path.join(source, "examples/data"), "-o", work, "--dataset", "d", "-q"], { stdio: "ignore" });
const host = spawn(path.join(build, "mist"), ["serve", work, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
const url = await new Promise((resolve) => { host.stdout.once("data", (line) => resolve(/http:\S+/.exec(line)[0])); });

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const timed = (call) => { const from = performance.now(); call(); return performance.now() - from; };
try {
  const rows = (await (await fetch(`${url}v1/datasets/d/items`)).json()).items;
  const cases = [["CXR 1024", rows.find((row) => row.path.startsWith("cxr/")), 0], ["CT 512", rows.find((row) => row.format === "dicom"), 3], ["MR 191 x 256", rows.find((row) => row.path.startsWith("mr-head/images")), 27]];
  console.log("| frame | size | mist.wasm, ms | codec-openjph, ms | times as fast |\n|---|---|---|---|---|");
  for (const [name, row, frame] of cases) {
    const place = `${url}v1/datasets/d/items/${encodeURIComponent(row.path)}`, item = await openItem(place);
    const stream = new Uint8Array(await (await fetch(`${place}/frames/${frame}`)).arrayBuffer()), decoder = new openjph.HTJ2KDecoder();
    await item.read({ frame });
    const other = item.info.levels - 1, out = core.allocate(item.info.width * item.info.height * item.info.components * 8);
    for (const reduce of [0, 1, 2]) {
      const ours = [], theirs = [];
      if (reduce > other) continue;
      for (let i = 0; i < 51; i++) {
        core.c.item_read(item.handle, core.request({ reduce: other === reduce ? 0 : other }), frame, out); // or ours would give what it decoded last
        ours.push(timed(() => core.c.item_read(item.handle, core.request({ reduce }), frame, out)));
        theirs.push(timed(() => { decoder.getEncodedBuffer(stream.length).set(stream); decoder.decodeSubResolution(reduce, 0); }));
      }
      const mine = core.bytes(out, decoder.getDecodedBuffer().length), same = mine.every((value, i) => value === decoder.getDecodedBuffer()[i]);
      if (!same) throw new Error(`${name}: the two decoders differ`);
      const a = median(ours.slice(10)), b = median(theirs.slice(10));
      console.log(`| ${name} | 1/${2 ** reduce} | ${a.toFixed(2)} | ${b.toFixed(2)} | ${(b / a).toFixed(2)} |`);
    }
    core.c.release(out);
    item.close();
  }
  const size = (...names) => { const all = names.map((name) => fs.readFileSync(name)); return [all, all.map((bytes) => zlib.gzipSync(bytes, { level: 9 }))].map((list) => list.reduce((sum, bytes) => sum + bytes.length, 0).toLocaleString("en")); };
  const peer = path.dirname(require.resolve("@cornerstonejs/codec-openjph")), [mine, minePacked] = size(path.join(source, "web/mist.js"), path.join(build, "src/wasm/mist.wasm")), [js, jsPacked] = size(path.join(peer, "openjphjs.js"), path.join(peer, "openjphjs.wasm"));
  console.log(`\nJavaScript and WebAssembly: mist ${mine} bytes (${minePacked} by gzip), codec-openjph ${js} (${jsPacked}).`);
} finally {
  host.kill();
  fs.rmSync(work, { recursive: true });
}
