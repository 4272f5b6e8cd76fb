// SPDX-License-Identifier: BSD-2-Clause
// dicomweb-client 0.11 for JavaScript, and dcmjs on what it retrieves.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { require, serveStore, STORE } from "./serving.mjs";

let store, client, dcmjs, study, series;

before(async () => {
  store = await serveStore(STORE);
  globalThis.XMLHttpRequest ??= require("xhr2");
  const { api } = require("dicomweb-client");
  client = new api.DICOMwebClient({ url: `${store.url}/dicom-web`, verbose: false });
  dcmjs = require("dcmjs");
  const found = await client.searchForSeries({ queryParams: { Modality: "CT" } });
  study = found[0]["0020000D"].Value[0];
  series = found[0]["0020000E"].Value[0];
});
after(() => store?.stop());

test("searches", async () => {
  const studies = await client.searchForStudies();
  assert.ok(studies.some((one) => one["0020000D"].Value[0] === study));
  const instances = await client.searchForInstances({ studyInstanceUID: study, seriesInstanceUID: series });
  assert.equal(instances.length, 6);
});

test("metadata, naturalized by dcmjs, and frames of that size", async () => {
  const metadata = await client.retrieveSeriesMetadata({ studyInstanceUID: study, seriesInstanceUID: series });
  assert.equal(metadata.length, 6);
  const data = dcmjs.data.DicomMetaDictionary.naturalizeDataset(metadata[0]);
  assert.deepEqual([data.Rows, data.Columns, data.BitsAllocated], [512, 512, 16]);
  const frames = await client.retrieveInstanceFrames({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: data.SOPInstanceUID, frameNumbers: [1] });
  assert.equal(frames.length, 1);
  assert.equal(frames[0].byteLength, 512 * 512 * 2);
  const coded = await client.retrieveInstanceFrames({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: data.SOPInstanceUID, frameNumbers: [1], mediaTypes: [{ mediaType: "image/jhc", transferSyntaxUID: "1.2.840.10008.1.2.4.202" }, { mediaType: "application/octet-stream", transferSyntaxUID: "1.2.840.10008.1.2.1" }] });
  assert.ok(coded[0].byteLength < 512 * 512 && new Uint8Array(coded[0])[0] === 0xff && new Uint8Array(coded[0])[1] === 0x4f);
});

test("instances, read by dcmjs: the same pixels as the frames", async () => {
  const metadata = await client.retrieveSeriesMetadata({ studyInstanceUID: study, seriesInstanceUID: series });
  const sopInstanceUID = metadata[1]["00080018"].Value[0];
  const file = await client.retrieveInstance({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID });
  const read = dcmjs.data.DicomMessage.readFile(file);
  const data = dcmjs.data.DicomMetaDictionary.naturalizeDataset(read.dict);
  assert.equal(data.SOPInstanceUID, sopInstanceUID);
  const [frame] = await client.retrieveInstanceFrames({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID, frameNumbers: [1] });
  const pixels = Array.isArray(data.PixelData) ? data.PixelData[0] : data.PixelData;
  assert.deepEqual(Buffer.from(pixels), Buffer.from(frame));
});

test("rendered", async () => {
  const metadata = await client.retrieveSeriesMetadata({ studyInstanceUID: study, seriesInstanceUID: series });
  const answer = await client.retrieveInstanceRendered({ studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: metadata[0]["00080018"].Value[0], mediaTypes: [{ mediaType: "image/jpeg" }] });
  const picture = Array.isArray(answer) ? answer[0] : answer;
  assert.deepEqual([...new Uint8Array(picture).slice(0, 3)], [0xff, 0xd8, 0xff]);
});
