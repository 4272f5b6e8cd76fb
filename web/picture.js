// SPDX-License-Identifier: BSD-2-Clause
// Samples -> what is seen: windows in the values' own units, label colours, canvases.

/** The window of a picture where nothing is said of one: its values' range, without the outermost half percent. */
export function usualWindow(picture, slope = 1, intercept = 0) {
  const { data, type } = picture;
  if (type === "u8") return ordered(intercept, 255 * slope + intercept);
  const step = Math.max(1, Math.floor(data.length / 65536)), some = [];
  for (let i = 0; i < data.length; i += step) {
    const value = Number(data[i]);
    if (Number.isFinite(value)) some.push(value);
  }
  if (!some.length) return { low: 0, high: 1 };
  some.sort((a, b) => a - b);
  const low = some[Math.floor(some.length * 0.005)], high = some[Math.min(some.length - 1, Math.ceil(some.length * 0.995))];
  return ordered(low * slope + intercept, (high > low ? high : low + 1) * slope + intercept);
}

const ordered = (a, b) => (a <= b ? { low: a, high: b } : { low: b, high: a });

/** The colour of a label value: [red, green, blue], the same for a value wherever it is met; 0 is the background. */
export function labelColour(value) {
  const hue = (Number(value) * 137.508) % 360, bright = 0.62 - 0.12 * (Math.floor(Number(value) / 8) % 3);
  const part = (n) => { const k = (n + hue / 30) % 12; return Math.round(255 * (bright - 0.85 * Math.min(bright, 1 - bright) * Math.max(-1, Math.min(k - 3, 9 - k, 1)))); };
  return [part(0), part(8), part(4)];
}

/** Which values a label picture has, and how many samples of each: a Map, ascending; at most `most` of them. */
export function labelCounts(data, most = 1000) {
  const counts = new Map();
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    const before = counts.get(value);
    if (before !== undefined) counts.set(value, before + 1);
    else if (counts.size < most) counts.set(value, 1);
  }
  return new Map([...counts].sort((a, b) => a[0] - b[0]));
}

/** Grey or colour pixels of `picture`'s samples from `offset` on into RGBA; { low, high } in units, slope and intercept of them. */
export function paint(rgba, picture, offset, window, slope = 1, intercept = 0, inverted = false) {
  const { data, components } = picture, pixels = rgba.length / 4;
  const low = (window.low - intercept) / slope, high = (window.high - intercept) / slope;
  let scale = 255 / (high - low || 1), shift = -low * scale;
  if (inverted) { scale = -scale; shift = 255 - shift; }
  const out = new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length);
  const number = data instanceof BigInt64Array || data instanceof BigUint64Array ? (i) => Number(data[i]) : null;
  for (let i = 0, at = offset * components; i < pixels; i++, at += components) {
    const o = 4 * i;
    if (components >= 3) {
      for (let c = 0; c < 3; c++) out[o + c] = Number(data[at + c]) * scale + shift;
    } else {
      const value = (number ? number(at) : data[at]) * scale + shift;
      out[o] = out[o + 1] = out[o + 2] = value; // clamped; NaN is 0
    }
    out[o + 3] = 255;
  }
}

/** Labels as colours into RGBA; values in `hidden`, and 0, are seen through. */
export function paintLabels(rgba, picture, offset, hidden = new Set()) {
  const { data, components } = picture, colours = new Map();
  for (let i = 0, at = offset * components; i < rgba.length / 4; i++, at += components) {
    const value = Number(data[at]);
    if (!value || hidden.has(value)) { rgba[4 * i + 3] = 0; continue; }
    let colour = colours.get(value);
    if (!colour) { colour = labelColour(value); colours.set(value, colour); }
    rgba[4 * i] = colour[0];
    rgba[4 * i + 1] = colour[1];
    rgba[4 * i + 2] = colour[2];
    rgba[4 * i + 3] = 255;
  }
}

/** A canvas of so many pixels that is not in the page. */
export function offscreen(width, height) {
  return typeof OffscreenCanvas === "undefined" ? Object.assign(document.createElement("canvas"), { width, height }) : new OffscreenCanvas(width, height);
}

/** Puts RGBA pixels of a size on an offscreen canvas, which is reused where it fits. */
export function canvasOf(rgba, width, height, old) {
  const canvas = old && old.width === width && old.height === height ? old : offscreen(width, height);
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length), width, height), 0, 0);
  return canvas;
}

/** One frame as a canvas element, for thumbnails: labels in their colours, others by their usual window. */
export function frameCanvas(picture, item, frame, description) {
  const { width, height } = picture, rgba = new Uint8Array(4 * width * height);
  if (item.info.label) paintLabels(rgba, picture, 0);
  else {
    const [slope, intercept] = item.scaling(frame), named = item.info.window;
    const window = named ? { low: named[0] - named[1] / 2, high: named[0] + named[1] / 2 } : usualWindow(picture, slope, intercept);
    paint(rgba, picture, 0, window, slope, intercept, Boolean(item.info.white_is_zero));
  }
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", description);
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(rgba.buffer), width, height), 0, 0);
  return canvas;
}
