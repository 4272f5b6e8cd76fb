// SPDX-License-Identifier: BSD-2-Clause
// Our page, served by mist serve and as files of `mist page` on a plain web server: what a visitor sees and does.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { MIST, openPage, serveFiles, serveStore, startBrowser, STORE, until } from "./serving.mjs";

let store, site, copy, browser, dataset;
const pictures = process.env.MIST_WEB_PICTURES;
const CT = (rows) => rows.find((row) => row.format === "dicom").path;

before(async () => {
  store = await serveStore(STORE);
  dataset = (await (await fetch(`${store.url}/v1/datasets`)).json()).datasets[0].dataset;
  copy = fs.mkdtempSync(path.join(os.tmpdir(), "mist-page-"));
  fs.cpSync(STORE, copy, { recursive: true });
  execFileSync(MIST, ["page", copy, "-q"]);
  site = await serveFiles(copy);
  browser = await startBrowser();
});
after(async () => { await browser?.close(); site?.stop(); await store?.stop(); if (copy) fs.rmSync(copy, { recursive: true }); });

const rows = async () => (await (await fetch(`${store.url}/v1/datasets/${dataset}/items?limit=1000`)).json()).items;
// Whether there is a picture on the canvas.
const look = (selector) => {
  const canvas = document.querySelector(selector);
  if (!canvas?.width) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const values = new Set();
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) { values.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]); sum += data[i]; }
  return values.size > 8 && sum > 0;
};
const drawn = (page, selector = "canvas.stage") => until(page, look, selector);
const sharp = (page) => until(page, () => { const v = document.querySelector("[aria-label=Viewer]")?.mistViewer; return v?.main.frame?.picture.reduce === 0; });

for (const [kind, root] of [["served", () => store], ["as files", () => site]]) {
  test(`${kind}: datasets, a size's price, items`, async () => {
    const page = await openPage(browser, `${root().url}/`);
    await until(page, () => document.querySelectorAll(".strip canvas").length >= 6);
    assert.match(await page.textContent("main"), /Example data/);
    if (pictures) await page.screenshot({ path: path.join(pictures, `page-${kind.split(" ")[0]}-1.png`) });
    await page.click("h2 a");
    await until(page, () => /bytes to fetch/.test(document.body.textContent) && document.querySelectorAll(".pair canvas").length === 2);
    const bytes = async (size) => {
      const before = await page.textContent(".big");
      await page.fill("#size", String(size));
      await page.waitForFunction((old) => document.querySelector(".big").textContent !== old, before, { timeout: 10000 });
      return Number(/([\d,]+) bytes to fetch/.exec(await page.textContent("main"))[1].replaceAll(",", ""));
    };
    const at64 = await bytes(1), full = await bytes(17);
    const plan = async (query) => Number(/"bytes": (\d+)\}\n$/.exec(await (await fetch(`${store.url}/v1/datasets/${dataset}/plan?${query}`)).text())[1]);
    assert.equal(at64, await plan("size=64"));
    assert.equal(full, await plan("reduce=0"));
    const commands = await page.$$eval(".command code", (all) => all.map((one) => one.textContent));
    assert.ok(commands[0].startsWith(`mist get ${root().url}/${dataset} `) && commands[1].includes("pymist") && commands[2].startsWith("curl"));
    await page.fill("#search", "PD.nii");
    await until(page, () => document.querySelectorAll(".grid .item").length === 2);
    await page.fill("#search", "nothing at all");
    await until(page, () => document.querySelectorAll(".grid .item").length === 0);
    if (kind === "served") {
      await page.fill("#search", "Nothing=3");
      await until(page, () => /column/.test(document.querySelector("main").textContent));
    }
    assert.deepEqual(page.problems.filter((one) => !/400 \(Bad/.test(one)), []);
    await page.context().close();
  });

  test(`${kind}: an item, sharper as its bytes come, in its own units`, async () => {
    const page = await openPage(browser, `${root().url}/#${new URLSearchParams({ d: dataset, i: CT(await rows()) })}`);
    await drawn(page);
    await sharp(page);
    assert.match(await page.textContent(".said"), /512 × 512, slice 4 of 6: \d+ kB fetched so far; the original has/);
    const state = await page.evaluate(() => { const v = document.querySelector("[aria-label=Viewer]").mistViewer; return { fetched: v.item.bytesFetched, original: v.item.info.source_bytes, frame: v.state.frame, window: v.state.window }; });
    assert.ok(state.fetched < state.original / 10, `${state.fetched} of ${state.original}`);
    assert.deepEqual(state.window, { low: 0, high: 80 }); // as the file says: 40, 80 HU
    await page.selectOption("#preset", "400,1800");
    await until(page, () => document.querySelector("[aria-label=Viewer]").mistViewer.state.window.high === 1300);
    assert.equal(await page.inputValue("#center"), "400");
    const box = await (await page.$("canvas.stage")).boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await until(page, () => /column 25\d, row 25\d, .* mm: -?\d+(\.\d+)? HU$/.test(document.querySelector(".probe").textContent));
    await page.keyboard.press("ArrowDown");
    await until(page, () => document.querySelector("[aria-label=Viewer]").mistViewer.state.frame === 4);
    await page.mouse.wheel(0, -100);
    await until(page, () => document.querySelector("[aria-label=Viewer]").mistViewer.state.frame === 3);
    await page.keyboard.press("+");
    await until(page, () => document.querySelector("[aria-label=Viewer]").mistViewer.state.zoom > 1);
    await page.keyboard.press("Escape");
    await until(page, () => /What a size costs/.test(document.body.textContent));
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}

test("three planes in millimetres, with labels over them", async () => {
  const page = await openPage(browser, `${store.url}/#${new URLSearchParams({ d: dataset, i: "mr-head/images/chris_PD.nii.gz" })}`);
  await until(page, () => document.querySelectorAll("#overlay option").length === 2);
  await page.selectOption("#overlay", { index: 1 });
  await until(page, () => document.querySelectorAll(".legend button").length === 2);
  await page.click("text=Three planes");
  await until(page, () => { const v = document.querySelector("[aria-label=Viewer]").mistViewer; return v.main.volume?.width === 191 && v.state.overlay?.volume?.width === 191; });
  for (let i = 1; i <= 3; i++) await drawn(page, `.plane:nth-child(${i})`);
  // Each plane's shape is that of its millimetres.
  const shapes = await page.$$eval(".plane", (all) => all.map((one) => one.plane.w / one.plane.h)), { spacing } = await page.evaluate(() => document.querySelector("[aria-label=Viewer]").mistViewer.item.info);
  [[191 * spacing[0], 256 * spacing[1]], [191 * spacing[0], 54 * spacing[2]], [256 * spacing[1], 54 * spacing[2]]].forEach(([w, h], i) => assert.ok(Math.abs(shapes[i] - w / h) < 0.01));
  if (pictures) await page.screenshot({ path: path.join(pictures, "page-planes.png") });
  const box = await (await page.$(".plane")).boundingBox();
  await page.click(".plane", { position: { x: box.width / 2, y: box.height / 3 } });
  const cross = await page.evaluate(() => document.querySelector("[aria-label=Viewer]").mistViewer.state.cross);
  assert.ok(Math.abs(cross[0] - 95) < 6 && cross[1] !== 128, `${cross}`);
  await page.click(".legend button");
  assert.equal(await page.getAttribute(".legend button", "aria-pressed"), "false");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("on a telephone, in the dark, by keyboard alone", async () => {
  const page = await openPage(browser, `${store.url}/#${new URLSearchParams({ d: dataset })}`, { viewport: { width: 400, height: 800 }, colorScheme: "dark", hasTouch: true });
  await until(page, () => { scrollTo(0, document.documentElement.scrollHeight); return document.querySelectorAll(".grid canvas").length >= 4; });
  await page.evaluate(() => scrollTo(0, 0));
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide[0] <= wide[1], `the page is ${wide[0]} wide in ${wide[1]}`);
  // Text on its ground: 4.5 to 1, as WCAG has it.
  const contrast = await page.evaluate(() => {
    const luminance = (text) => { const [r, g, b] = /\d+, \d+, \d+/.exec(text)[0].split(",").map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const of = (element) => { let back = element; while (back && /rgba\(0, 0, 0, 0\)/.test(getComputedStyle(back).backgroundColor)) back = back.parentElement; const a = luminance(getComputedStyle(element).color), b = luminance(getComputedStyle(back ?? document.body).backgroundColor); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
    return [...document.querySelectorAll("main h1, main h2, main p, main th, main td, main label, main a.item, main button, main code")].map((element) => [element.tagName, of(element)]);
  });
  for (const [tag, ratio] of contrast) assert.ok(ratio >= 4.5, `${tag} has a contrast of ${ratio}`);
  if (pictures) await page.screenshot({ path: path.join(pictures, "page-400.png") });
  const named = await page.$$eval("input, select, button, canvas", (all) => all.filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim() || one.getAttribute("aria-label") === "")).map((one) => one.outerHTML.slice(0, 100)));
  assert.deepEqual(named, []);
  for (let i = 0, found = false; i < 60 && !found; i++) { await page.keyboard.press("Tab"); found = await page.evaluate(() => document.activeElement.classList.contains("item")); if (i === 59) assert.ok(found, "items are reached by Tab"); }
  await page.keyboard.press("Enter");
  await drawn(page);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what is missing or damaged is said, and nothing comes from elsewhere", async () => {
  const page = await openPage(browser, null), hosts = new Set();
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(`${store.url}/#d=nothing`);
  await until(page, () => /nothing|no such/i.test(document.querySelector(".error")?.textContent ?? ""));
  await page.goto(`${store.url}/#${new URLSearchParams({ d: dataset, i: "no/such.png" })}`);
  await until(page, () => document.querySelector(".error")?.textContent.length > 10);
  const item = fs.readdirSync(path.join(copy, dataset, "items/cxr"))[0], place = path.join(copy, dataset, "items/cxr", item), bytes = fs.readFileSync(place);
  bytes[bytes.length - 2000] ^= 1;
  fs.writeFileSync(place, bytes);
  await page.goto(`${site.url}/#${new URLSearchParams({ d: dataset, i: `cxr/${item.replace(/\.mist$/, "")}` })}`);
  await until(page, () => /not those that were stored/.test(document.querySelector(".said.error")?.textContent ?? ""));
  await drawn(page); // the sizes before it are shown
  assert.equal(hosts.size, 2);
  assert.match((await fetch(`${store.url}/`, { headers: { Accept: "text/html" } })).headers.get("Content-Security-Policy"), /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'/);
  await page.context().close();
});
