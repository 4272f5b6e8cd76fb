// SPDX-License-Identifier: BSD-2-Clause
// Where the page's datasets come from: a MIST host's /v1 (docs/http.md), or the files of a store on any web server, which
// `mist page` put this page beside. Both have the same functions and the same answers.

import { openCatalog } from "./mist.js";

const base = new URL(".", document.baseURI).href;
const parts = (path) => path.split("/").map(encodeURIComponent).join("/");

async function ask(url, signal) {
  const answer = await fetch(new URL(url, base), { signal, headers: { Accept: "application/json" } });
  if (answer.ok) return answer;
  let sentence = `${answer.status} ${answer.statusText}`;
  try { sentence = (await answer.json()).error || sentence; } catch { /* no JSON: the status says it */ }
  throw new Error(sentence);
}

const service = {
  async datasets(signal) { return (await (await ask("v1/datasets", signal)).json()).datasets; },
  async about(dataset, signal) { return (await ask(`v1/datasets/${encodeURIComponent(dataset)}`, signal)).json(); },
  /** An item's row of the catalog. */
  async item(dataset, path, signal) { return (await (await ask(`v1/datasets/${encodeURIComponent(dataset)}/items?path=${encodeURIComponent(path)}`, signal)).json()).items[0]; },
  itemUrl: (dataset, path) => new URL(`v1/datasets/${encodeURIComponent(dataset)}/items/${encodeURIComponent(path)}`, base).href,
  /** What curl fetches of an item at a size. */
  curlUrl(dataset, path, row) { return `${this.itemUrl(dataset, path)}${row.reduce ? `?reduce=${row.reduce}` : ""}`; },
  curlRange: () => "",

  /** Calls `each` with every line of a plan, and resolves to its totals; an answer without them is not complete. */
  async plan(dataset, { size, reduce, include, where, limit, policy }, each, signal) {
    const given = Object.entries({ size, reduce, include, where, limit, policy }).filter(([, value]) => value !== undefined);
    const answer = await ask(`v1/datasets/${encodeURIComponent(dataset)}/plan?${new URLSearchParams(given)}`, signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", totals = null;
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? "")).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const row = JSON.parse(line);
        if ("items" in row) totals = row;
        else each?.(row);
      }
      if (done) break;
    }
    if (!totals) throw new Error("the host's plan ended early; reload the page");
    return totals;
  },
};

const catalogs = new Map();
function catalogOf(dataset, signal) {
  if (!catalogs.has(dataset)) {
    const opened = openCatalog(new URL(`${encodeURIComponent(dataset)}/catalog.jsonl.zst`, base), { signal });
    opened.catch(() => catalogs.delete(dataset));
    catalogs.set(dataset, opened);
  }
  return catalogs.get(dataset);
}

const files = {
  async datasets(signal) { return (await (await ask("datasets.json", signal)).json()).datasets; },
  async about(dataset, signal) { return (await catalogOf(dataset, signal)).about; },
  async item(dataset, path, signal) { return (await catalogOf(dataset, signal)).item(path); },
  itemUrl: (dataset, path) => new URL(`${encodeURIComponent(dataset)}/items/${parts(path)}.mist`, base).href,
  curlUrl(dataset, path) { return this.itemUrl(dataset, path); },
  curlRange: (row) => (row.ranges?.length === 1 && row.bytes < row.size ? ` -r 0-${row.ranges[0][1] - 1}` : ""),
  async plan(dataset, parameters, each, signal) {
    const lines = (await catalogOf(dataset, signal)).plan(parameters);
    const totals = lines.pop();
    if (each) lines.forEach(each);
    return totals;
  },
};

export const host = document.documentElement.dataset.store === "files" ? files : service;
/** What `mist get` and pymist take. */
export const datasetAddress = (dataset) => `${base}${encodeURIComponent(dataset)}`;
