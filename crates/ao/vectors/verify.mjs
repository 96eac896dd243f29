// Verifies with arbundles what the crate made, and that arbundles refuses it once it was changed:
//
//   npm ci && cargo run --quiet -p ao --example make_items | npm run --silent verify

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Bundle, DataItem } = createRequire(import.meta.url)("arbundles");

const checks = {
  item: async (bytes) => {
    const changed = Buffer.from(bytes);
    changed[changed.length - 1] ^= 1;
    // arbundles throws where the change makes a signature or a count unreadable.
    const changedIsValid = await DataItem.verify(changed).catch(() => false);
    return (await DataItem.verify(bytes)) && !changedIsValid;
  },
  bundle: (bytes) => new Bundle(bytes).verify(),
};

const count = {};
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const [kind, text] = line.split(" ");
  const bytes = Buffer.from(text, "base64url");
  if (!(await checks[kind](bytes))) {
    console.error(`arbundles refuses this ${kind}, or takes it when it is changed: ${text.slice(0, 200)}`);
    process.exit(1);
  }
  const name = kind === "item" ? `items of type ${new DataItem(bytes).signatureType}` : "bundles";
  count[name] = (count[name] ?? 0) + 1;
}
console.log("arbundles verifies:", count);
