// SPDX-License-Identifier: BSD-2-Clause
// Cornerstone3D 5.14: plain frames, frames in two stages (docs/viewers.md), frames that are decoded as they stream in.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { openPage, PACKAGES, require, serveFiles, serveStore, SOURCE, startBrowser, STORE } from "./serving.mjs";

let store, site, browser, page, bundle, ids, series;

before(async () => {
  const esbuild = require("esbuild"), modules = path.join(PACKAGES, "node_modules");
  bundle = fs.mkdtempSync(path.join(os.tmpdir(), "mist-cornerstone-"));
  fs.copyFileSync(path.join(SOURCE, "tests/web/cornerstone_app.mjs"), path.join(bundle, "source.mjs"));
  await esbuild.build({
    entryPoints: { app: path.join(bundle, "source.mjs"), decodeImageFrameWorker: path.join(modules, "@cornerstonejs/dicom-image-loader/dist/esm/decodeImageFrameWorker.js") },
    bundle: true, format: "esm", platform: "browser", outdir: path.join(bundle, "site"), logLevel: "error", external: ["fs", "path", "crypto", "module", "worker_threads"], nodePaths: [modules], alias: { events: "events/", url: "url/" },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  // The worker asks for its decoders by these names, beside itself.
  const decoders = { "/@cornerstonejs/codec-openjph/wasm": "@cornerstonejs/codec-openjph/dist/openjphjs.wasm" };
  const files = { "/index.html": "<!doctype html><title>cornerstone</title>" };
  for (const [name, place] of Object.entries(decoders)) files[name] = fs.readFileSync(path.join(modules, place));
  store = await serveStore(STORE);
  site = await serveFiles(path.join(bundle, "site"), { files, answer: (request, response) => { if (request.url.endsWith("/wasm")) response.setHeader("X-Is", "wasm"); return false; } });
  browser = await startBrowser();
  page = await openPage(browser, `${site.url}/index.html`);
  const found = await (await fetch(`${store.url}/dicom-web/series?Modality=CT`, { headers: { Accept: "application/dicom+json" } })).json();
  series = found[0]["00081190"].Value[0];
  if (!series.startsWith("http")) series = store.url + series;
  await page.evaluate(async () => { window.app = await import("/app.js"); await window.app.start(); });
  ids = await page.evaluate((url) => window.app.open(url), series);
});
after(async () => { await browser?.close(); site?.stop(); await store?.stop(); if (bundle) fs.rmSync(bundle, { recursive: true }); });

// Explicit VR little endian, which is decoded on the host: another way to the same pixels.
async function native(id) {
  const answer = await fetch(id.replace("wadors:", ""), { headers: { Accept: 'multipart/related; type="application/octet-stream"' } });
  const body = Buffer.from(await answer.arrayBuffer()), start = body.indexOf("\r\n\r\n") + 4;
  return Array.from({ length: 512 * 512 }, (_, i) => body.readUInt16LE(start + 2 * i));
}
const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

test("plain", async () => {
  const image = await page.evaluate((id) => window.app.plain(id), ids[2]), expected = await native(ids[2]);
  assert.deepEqual([image.rows, image.columns], [512, 512]);
  assert.ok(same(image.pixels, expected) || same(image.pixels, expected.map((value) => value * image.slope + image.intercept)));
});

test("in stages: a quarter, then the whole", async () => {
  const text = fs.readFileSync(path.join(SOURCE, "docs/viewers.md"), "utf8");
  const configuration = JSON.parse(/<!-- cornerstone -->\n```json\n([^]*?)```/.exec(text)[1]);
  const { shown, errors, pixels } = await page.evaluate(([id, c]) => window.app.progressive([id], c), [ids[3], configuration]);
  assert.deepEqual(errors, []);
  assert.deepEqual(shown.map((one) => one.rows), [128, 512]);
  assert.ok(same(pixels, await native(ids[3])));
});

test("streaming: decoded from the first bytes on", async () => {
  const configuration = { stages: [{ id: "all", retrieveType: "all" }], retrieveOptions: { all: { streaming: true, decodeLevel: 1, initialChunkSize: 16384, chunkSize: 16384 } } };
  const { shown, errors, pixels } = await page.evaluate(([id, c]) => window.app.progressive([id], c), [ids[4], configuration]);
  assert.deepEqual(errors, []);
  assert.equal(shown.at(-1).quality, 8);
  assert.ok(same(pixels, await native(ids[4])));
});
