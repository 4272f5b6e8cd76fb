// SPDX-License-Identifier: BSD-2-Clause
// Runs in the browser, bundled by cornerstone.mjs: Cornerstone3D's own loader, on what mist serve answers.
import { cache, Enums, imageLoader, init, ProgressiveRetrieveImages } from "@cornerstonejs/core";
import loader, { init as initLoader } from "@cornerstonejs/dicom-image-loader";

export async function start() {
  await init();
  (initLoader ?? loader.init)({ maxWebWorkers: 1 });
}

const pixels = (image) => Array.from(image.getPixelData());

/** The instances of a series as image ids; their metadata are known to the loader then. */
export async function open(series) {
  const metadata = await (await fetch(`${series}/metadata`, { headers: { Accept: "application/dicom+json" } })).json();
  return metadata.map((instance) => {
    const id = `wadors:${series}/instances/${instance["00080018"].Value[0]}/frames/1`;
    loader.wadors.metaDataManager.add(id, instance);
    return id;
  });
}

/** The plain way. */
export async function plain(id) {
  const image = await imageLoader.loadAndCacheImage(id);
  return { rows: image.rows, columns: image.columns, slope: image.slope, intercept: image.intercept, pixels: pixels(image) };
}

/** The stages of a progressive configuration: what was shown, in order, and the last one's pixels. */
export async function progressive(ids, configuration) {
  cache.purgeCache();
  const shown = [], errors = [];
  let last = null;
  await ProgressiveRetrieveImages.createProgressive(configuration).loadImages(ids, {
    successCallback: (id, image) => { shown.push({ id, rows: image.rows, quality: image.imageQualityStatus }); last = image; },
    errorCallback: (id, permanent, reason) => errors.push(String(reason?.message ?? reason)),
    getTargetOptions: () => ({}),
    getLoaderImageOptions: () => ({ targetBuffer: undefined, preScale: { enabled: false }, useRGBA: false, requestType: Enums.RequestType.Interaction }),
  });
  return { shown, errors, pixels: pixels(last) };
}
