// What a reader of npm finds in a file, as JSON like nodes.py: node nodes.mjs READER FILE.h5
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const [reader, file] = process.argv.slice(2);
const found = {};
const text = (value) => value.replace(/\0+$/, "");
const plain = (value) => {
  if (typeof value === "string") return text(value);
  const list = Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value) : [value];
  return list.length === 1 && typeof list[0] === "string" ? text(list[0]) : list.map(Number);
};
const arrays = {
  "|u1": Uint8Array, "<u2": Uint16Array, "<i4": Int32Array, "<f4": Float32Array,
  "<f8": Float64Array,
};
const described = (shape, type, values, attributes) => {
  const kind = type.replace("<u1", "|u1").replace(/^B$|^<B$/, "|u1").replace("<H", "<u2")
    .replace("<i", "<i4").replace("<i44", "<i4").replace("<f", "<f4").replace(/<f4([48])$/, "<f$1")
    .replace("<d", "<f8");
  if (!arrays[kind]) throw new Error(`type ${type}`);
  const typed = ArrayBuffer.isView(values) ? values : arrays[kind].from(values);
  const bytes = Buffer.from(typed.buffer, typed.byteOffset, typed.byteLength);
  return {
    shape, type: kind, sha256: createHash("sha256").update(bytes).digest("hex"), attributes,
  };
};
const tried = (path, read) => {
  try {
    found[path] = read();
  } catch (error) {
    found[path] = { error: String(error.message ?? error) };
  }
};

if (reader === "jsfive") {
  const hdf5 = await import("jsfive");
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  const opened = new hdf5.File(buffer.slice(byteOffset, byteOffset + byteLength), file);
  const attributes = (node) =>
    Object.fromEntries(Object.entries(node.attrs).map(([name, value]) => [name, plain(value)]));
  const walk = (group, path) => {
    for (const name of group.keys) {
      tried(`${path}/${name}`, () => {
        const node = group.get(name);
        if (node instanceof hdf5.Dataset)
          return described(node.shape, node.dtype, node.value, attributes(node));
        walk(node, `${path}/${name}`);
      });
      if (found[`${path}/${name}`] === undefined) delete found[`${path}/${name}`];
    }
  };
  tried("/", () => ({ attributes: attributes(opened) }));
  walk(opened, "");
} else {
  const { default: h5wasm } = await import("h5wasm/node");
  await h5wasm.ready;
  const opened = new h5wasm.File(file, "r");
  const attributes = (node) =>
    Object.fromEntries(Object.entries(node.attrs).map(([name, at]) => [name, plain(at.value)]));
  const walk = (group, path) => {
    for (const name of group.keys()) {
      const node = group.get(name);
      const at = `${path}/${name}`;
      if (node.type === "Group") walk(node, at);
      else tried(at, () => described(node.shape, node.dtype, node.value, attributes(node)));
    }
  };
  tried("/", () => ({ attributes: attributes(opened) }));
  walk(opened, "");
}
process.stdout.write(JSON.stringify(found));
