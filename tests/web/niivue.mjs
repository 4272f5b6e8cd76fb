// SPDX-License-Identifier: BSD-2-Clause
// NiiVue 0.69: volumes by web/niivue.js, small and then sharp, and the host's own .nii.gz without any of our code.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { openPage, PACKAGES, serveFiles, serveStore, SOURCE, startBrowser, STORE, until } from "./serving.mjs";

const ITEM = "mr-head/images/chris_PD.nii.gz", LABEL = "mr-head/labels/chris_PD.nii.gz";
let store, site, browser, page, base;

before(async () => {
  store = await serveStore(STORE);
  base = `${store.url}/v1/datasets/${(await (await fetch(`${store.url}/v1/datasets`)).json()).datasets[0].dataset}/items/`;
  site = await serveFiles(path.join(PACKAGES, "node_modules/@niivue/niivue"), {
    files: { "/index.html": '<!doctype html><title>niivue</title><canvas id="gl" width="640" height="480"></canvas>' } });
  browser = await startBrowser();
  page = await openPage(browser, `${site.url}/index.html`);
  await page.evaluate(async (mist) => {
    const { Niivue, NVImage } = await import("/dist/index.js");
    Object.assign(window, { NVImage, mist: await import(`${mist}/page/niivue.js`), nv: new Niivue({ logging: false }) });
    await window.nv.attachTo("gl");
  }, store.url);
});
after(async () => { await browser?.close(); site?.stop(); await store?.stop(); });

const about = (index) => { const v = window.nv.volumes[index]; return { dims: Array.from(v.hdr.dims).slice(1, 4), affine: v.hdr.affine, pix: Array.from(v.hdr.pixDims).slice(1, 4), img: Array.from(v.img), volumes: window.nv.volumes.length }; };
const url = (item) => base + encodeURIComponent(item);

// The voxel's corners in millimetres: the same for each size of a volume.
const middle = ({ dims, affine }) => [0, 1, 2].map((i) => affine[i][0] * (dims[0] - 1) / 2 + affine[i][1] * (dims[1] - 1) / 2 + affine[i][2] * (dims[2] - 1) / 2 + affine[i][3]);

test("small, then the whole in its place, and labels over it", async () => {
  await page.evaluate((u) => window.mist.loadVolume(window.nv, window.NVImage, u, { size: 64, grid: "center" }), url(ITEM));
  const small = await page.evaluate(about, 0);
  assert.deepEqual(small.dims, [48, 64, 54]);
  await page.evaluate((u) => window.mist.loadVolume(window.nv, window.NVImage, u), url(ITEM));
  const whole = await page.evaluate(about, 0);
  assert.equal(whole.volumes, 1);
  assert.deepEqual(whole.dims, [191, 256, 54]);
  middle(small).forEach((mm, i) => assert.ok(Math.abs(mm - middle(whole)[i]) < 2 * whole.pix[i], `${middle(small)} is not ${middle(whole)}`));
  // The host makes the same, for NiiVue without our code.
  await page.evaluate((u) => window.nv.addVolumeFromUrl({ url: u, name: "host.nii.gz" }), `${url(ITEM)}?format=nii.gz`);
  const host = await page.evaluate(about, 1);
  assert.deepEqual(host.dims, whole.dims);
  assert.deepEqual(host.img, whole.img);
  host.affine.flat().forEach((value, i) => assert.ok(Math.abs(value - whole.affine.flat()[i]) < 1e-4));
  await page.evaluate((u) => window.mist.loadVolume(window.nv, window.NVImage, u, { opacity: 0.5 }), url(LABEL));
  const label = await page.evaluate(about, 2);
  assert.ok(new Set(label.img).size <= 4);
  if (process.env.MIST_WEB_PICTURES) await page.screenshot({ path: path.join(process.env.MIST_WEB_PICTURES, "niivue.png") });
});

test("a whole .mist file, by NiiVue's own loading", async () => {
  await page.evaluate(() => { while (window.nv.volumes.length) window.nv.removeVolume(window.nv.volumes[0]); window.mist.useMist(window.nv); });
  const dataset = base.split("/")[5];
  await page.evaluate((u) => window.nv.loadVolumes([{ url: u, name: "chris_PD.mist" }]), `${store.url}/${dataset}/items/${ITEM}.mist`);
  await until(page, () => window.nv.volumes.length === 1);
  assert.deepEqual((await page.evaluate(about, 0)).dims, [191, 256, 54]);
});

test("the examples of docs/viewers.md, as they stand", async () => {
  const text = fs.readFileSync(path.join(SOURCE, "docs/viewers.md"), "utf8");
  const blocks = [...text.matchAll(/```js\n(import [^]*?)```/g)].map((found) => found[1].replaceAll("https://host.example", store.url).replace("'@niivue/niivue'", `'${site.url}/dist/index.js'`).replace("attachTo('canvas')", "attachTo('gl')"));
  assert.equal(blocks.length, 2);
  for (const block of blocks) {
    const said = [];
    page.on("console", (message) => said.push(message.text()));
    await page.evaluate((code) => import(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))), block);
    if (block.includes("console.log")) assert.deepEqual(said.filter((line) => /^\d+ \d+$/.test(line)).map((line) => Number(line.split(" ")[0])), [48, 96, 191]);
  }
});
