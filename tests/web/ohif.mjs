// SPDX-License-Identifier: BSD-2-Clause
// Stock OHIF 3.13.2 from npm, with the configuration of docs/viewers.md, on a store: nothing of it is changed.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { openPage, PACKAGES, serveFiles, serveStore, SOURCE, startBrowser, STORE, until } from "./serving.mjs";

let store, viewer, browser, studies;
const json = async (url) => (await fetch(url, { headers: { Accept: "application/dicom+json" } })).json();

before(async () => {
  store = await serveStore(STORE);
  // The block of the document, which users copy, with our address in it.
  const document = fs.readFileSync(path.join(SOURCE, "docs/viewers.md"), "utf8");
  const config = /```js\n(window\.config[^]*?)```/.exec(document)[1].replaceAll("https://host.example", store.url);
  viewer = await serveFiles(path.join(PACKAGES, "ohif/package/dist"), {
    files: { "/app-config.js": config }, fallback: "index.html",
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  });
  browser = await startBrowser();
  studies = await json(`${store.url}/dicom-web/studies`);
});
after(async () => { await browser?.close(); viewer?.stop(); await store?.stop(); });

const ct = () => studies.find((study) => study["00080061"]?.Value.includes("CT"))["0020000D"].Value[0];

test("the study list", async () => {
  const page = await openPage(browser, viewer.url);
  const names = studies.map((study) => study["00100010"]?.Value?.[0]?.Alphabetic?.split("^")[0]).filter(Boolean);
  assert.ok(names.length);
  for (const name of names) await until(page, (wanted) => document.body.innerText.toLowerCase().includes(wanted), name.toLowerCase(), 20000);
  await page.context().close();
});

test("a series: a quarter from less than 15 kB, then the whole, pixel for pixel; scrolling; thumbnails", async () => {
  const page = await openPage(browser, null), frames = [];
  page.on("response", async (response) => {
    if (/\/frames\/\d+/.test(response.url())) frames.push({ url: response.url(), size: (await response.body().catch(() => Buffer.alloc(0))).length, at: Date.now() });
  });
  await page.goto(`${viewer.url}/viewer?StudyInstanceUIDs=${ct()}`);
  const state = () => {
    const viewport = window.cornerstone?.getRenderingEngines?.()[0]?.getViewports?.()[0], image = viewport?.csImage;
    return image && { rows: image.rows, columns: image.columns, quality: image.imageQualityStatus, id: image.imageId, index: viewport.getCurrentImageIdIndex?.() };
  };
  const full = await until(page, `(${state})()?.rows === 512 && (${state})()`);
  assert.equal(full.columns, 512);
  const instance = /\/instances\/([^/]+)\/frames/.exec(full.id)[1];
  const small = frames.find((one) => one.url.includes(instance) && one.url.includes("reduce=2"));
  const whole = frames.find((one) => one.url.includes(instance) && !one.url.includes("reduce="));
  assert.ok(small && small.size > 500 && small.size < 15000, `the quarter took ${small?.size} bytes`);
  assert.ok(whole && whole.size > small.size);
  // What it shows at full size is what we decode.
  const seen = await until(page, () => {
    const image = window.cornerstone.getRenderingEngines()[0].getViewports()[0].csImage;
    return image.imageQualityStatus === 8 && Array.from(image.getPixelData());
  });
  const native = await fetch(`${full.id.replace(/^wadors:/, "")}`, { headers: { Accept: 'multipart/related; type="application/octet-stream"' } });
  const body = Buffer.from(await native.arrayBuffer()), start = body.indexOf("\r\n\r\n") + 4, expected = new Int16Array(512 * 512);
  for (let i = 0; i < expected.length; i++) expected[i] = body.readUInt16LE(start + 2 * i);
  const meta = (await json(full.id.replace(/^wadors:/, "").replace(/\/frames\/\d+$/, "/metadata")))[0];
  const slope = meta["00281053"]?.Value[0] ?? 1, intercept = meta["00281052"]?.Value[0] ?? 0;
  const stored = seen.every((value, i) => value === expected[i]), scaled = seen.every((value, i) => value === expected[i] * slope + intercept);
  assert.ok(stored || scaled, "OHIF's pixels are not ours");
  // Scrolling loads the next slices.
  const before = full.index;
  await page.mouse.move(800, 450);
  for (let i = 0; i < 3; i++) { await page.mouse.wheel(0, 120); await page.waitForTimeout(150); }
  const moved = await until(page, `(() => { const s = (${state})(); return s && s.index !== ${before} && s.rows === 512 && s; })()`);
  assert.notEqual(moved.id, full.id);
  const thumbnails = await until(page, () => { const all = [...document.querySelectorAll("img")].filter((image) => image.src.startsWith("blob:") || image.src.startsWith("data:image/jp") || image.src.includes("thumbnail")); return all.length && all.every((image) => image.naturalWidth > 16) && all.length; });
  assert.ok(thumbnails >= 1);
  if (process.env.MIST_WEB_PICTURES) await page.screenshot({ path: path.join(process.env.MIST_WEB_PICTURES, "ohif.png") });
  await page.context().close();
});

test("MPR of a volume", async () => {
  const page = await openPage(browser, `${viewer.url}/viewer?StudyInstanceUIDs=${ct()}&hangingprotocolId=mpr`);
  const shown = await until(page, () => {
    const viewports = window.cornerstone?.getRenderingEngines?.().flatMap((engine) => engine.getViewports()) ?? [];
    const volumes = viewports.filter((one) => one.type === "orthographic" && one.getActors?.().length);
    const volume = volumes.length >= 3 && window.cornerstone.cache.getVolumes()[0];
    return volume && volume.loadStatus?.loaded && { orientations: volumes.map((one) => one.getCamera().viewPlaneNormal.map(Math.round).join()), dimensions: Array.from(volume.dimensions), spacing: Array.from(volume.spacing) };
  }, undefined, 90000);
  assert.equal(new Set(shown.orientations).size, 3, `three planes: ${shown.orientations}`);
  assert.deepEqual(shown.dimensions.slice(0, 2), [512, 512]);
  if (process.env.MIST_WEB_PICTURES) await page.screenshot({ path: path.join(process.env.MIST_WEB_PICTURES, "ohif-mpr.png") });
  await page.context().close();
});
