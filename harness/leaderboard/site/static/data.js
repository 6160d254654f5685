"use strict";
/* Loading: data files are classic scripts that call xdr.receive, since a page from the disk can neither fetch nor import. */
var xdr = (function () {
  const waiting = new Map();
  const received = new Map();

  function receive(name, value) {
    received.set(name, value);
    if (waiting.has(name)) waiting.get(name).resolve(value);
  }

  function load(name) {
    if (received.has(name)) return Promise.resolve(received.get(name));
    if (waiting.has(name)) return waiting.get(name).promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => {
      entry.resolve = resolve;
      const script = document.createElement("script");
      script.src = document.body.dataset.root + "data/" + name.split("/").map(encodeURIComponent).join("/") + ".js";
      const fail = (why) => { waiting.delete(name); reject(new Error("data/" + name + ".js " + why)); };
      script.onerror = () => fail("is missing");
      script.onload = () => { if (!received.has(name)) fail("is damaged"); };
      document.head.append(script);
    });
    waiting.set(name, entry);
    return entry.promise;
  }

  function bytes(text) {
    const raw = atob(text);
    const found = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
    return found;
  }

  function littleEndian(text, width, read) {
    const view = new DataView(bytes(text).buffer);
    return Array.from({ length: view.byteLength / width }, (_, i) => read(view, i * width));
  }

  const floats64 = (text) => littleEndian(text, 8, (view, place) => view.getFloat64(place, true));
  const counts32 = (text) => littleEndian(text, 4, (view, place) => view.getUint32(place, true));

  /* Numbers of 1 to 4 bytes each. */
  function numbers(packed) {
    const width = Number(packed.width);
    const raw = bytes(packed.numbers);
    const found = new Array(raw.length / width);
    for (let i = 0; i < found.length; i++) {
      let value = 0;
      for (let j = width - 1; j >= 0; j--) value = value * 256 + raw[i * width + j];
      found[i] = value;
    }
    return found;
  }

  /* One score for each question: bits for hits and misses, else float32. Null where a question is not scored. */
  function scores(packed, count) {
    let found;
    if (packed.bits !== undefined) {
      const raw = bytes(packed.bits);
      found = Array.from({ length: count }, (_, i) => (raw[i >> 3] >> (i & 7)) & 1);
    } else {
      found = littleEndian(packed.floats, 4, (view, place) => view.getFloat32(place, true));
    }
    for (const place of packed.unscored || []) found[place] = null;
    return found;
  }

  return { receive, load, floats64, counts32, numbers, scores, pages: {} };
})();
