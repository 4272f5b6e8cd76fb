// SPDX-License-Identifier: BSD-2-Clause
// What the tests in browsers share: `mist serve` on a free port, directories as a web server has them, Chromium.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { createRequire } from "node:module";

export const MIST = process.env.MIST_PROGRAM, SOURCE = process.env.MIST_SOURCE, STORE = process.env.MIST_WEB_STORE;
export const PACKAGES = process.env.MIST_WEB_PACKAGES; // a directory with node_modules
export const require = createRequire(path.join(PACKAGES ?? "/nowhere", "x.js"));

/** Runs `mist serve` of a store; { url, stop() }. */
export async function serveStore(store, ...options) {
  const child = spawn(MIST, ["serve", store, "--listen", "127.0.0.1:0", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => { text += data; if (text.includes("\n")) resolve(text); });
    child.on("exit", () => reject(new Error(`mist serve ended: ${text}`)));
  });
  const url = /http:\/\/\S+/.exec(line)[0].replace(/\/$/, "");
  return { url, stop: () => new Promise((resolve) => { child.on("exit", resolve); child.kill("SIGTERM"); }) };
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png" };

/**
 * A plain web server of a directory: ranges unless `ranges` is false, `files` ({ "/name": content }) in place of what is
 * there, `fallback` for what is not, `headers` on all. `requests` lists what was asked for; `answer(request, response)` true
 * where it has answered itself.
 */
export async function serveFiles(directory, { files = {}, fallback, headers = {}, ranges = true, answer } = {}) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://x").pathname);
    requests.push({ path: request.url, range: request.headers.range, method: request.method });
    for (const [field, value] of Object.entries(headers)) response.setHeader(field, value);
    if (answer?.(request, response)) return;
    let content = files[name] !== undefined ? Buffer.from(files[name]) : null, type = TYPES[path.extname(name)];
    let place = path.join(directory, path.normalize(name));
    if (content === null && name.endsWith("/")) place = path.join(place, "index.html");
    if (content === null && !(fs.existsSync(place) && fs.statSync(place).isFile()) && fallback) place = path.join(directory, fallback);
    if (content === null && fs.existsSync(place) && fs.statSync(place).isFile()) { content = fs.readFileSync(place); type = TYPES[path.extname(place)]; }
    if (content === null) { response.writeHead(404).end("nothing here"); return; }
    response.setHeader("Content-Type", type ?? "application/octet-stream");
    const range = ranges && /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    if (range) {
      const start = Number(range[1]), end = Math.min(content.length, range[2] ? Number(range[2]) + 1 : content.length);
      if (start >= content.length) { response.writeHead(416, { "Content-Range": `bytes */${content.length}` }).end(); return; }
      response.writeHead(206, { "Content-Range": `bytes ${start}-${end - 1}/${content.length}` }).end(content.subarray(start, end));
    } else response.writeHead(200).end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, requests, stop: () => { server.closeAllConnections?.(); server.close(); } };
}

/** Headless Chromium with a software renderer; what pages complain of goes to `problems`. */
export async function startBrowser() {
  const { chromium } = require("playwright-core");
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((name) => fs.existsSync(name));
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"] });
}

export async function openPage(browser, url, { viewport = { width: 1400, height: 900 }, ...options } = {}) {
  const context = await browser.newContext({ viewport, ...options }), page = await context.newPage();
  page.problems = [];
  page.on("console", (message) => { if (message.type() === "error") page.problems.push(message.text()); });
  page.on("pageerror", (error) => page.problems.push(error.message));
  if (url) await page.goto(url);
  return page;
}

/** Waits until `check` (in the page) gives something true, which is returned. */
export async function until(page, check, argument, timeout = 60000) {
  const handle = await page.waitForFunction(check, argument, { timeout, polling: 100 });
  return handle.jsonValue();
}
