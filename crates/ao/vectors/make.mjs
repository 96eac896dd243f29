// Makes vectors.json with arbundles and arweave-js: items of every signature type, bundles, deep hashes.
// The keys are for these tests only. They are kept from one run to the next; signatures with a salt are not.
//
//   npm ci && npm run make

import { createHash, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import Arweave from "arweave";
import bs58 from "bs58";

const require = createRequire(import.meta.url);
const { bundleAndSignData, createData, deepHash, ArweaveSigner, EthereumSigner, HexSolanaSigner, SolanaSigner } =
  require("arbundles");

const FILE = new URL("./vectors.json", import.meta.url);
const text = (bytes) => Buffer.from(bytes).toString("base64url");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const arweave = Arweave.init({});

const newKey = (kind, options) => generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" });

const kept = existsSync(FILE) ? JSON.parse(readFileSync(FILE)) : {};
const keys = kept.keys ?? {
  rsa: newKey("rsa", { modulusLength: 4096, publicExponent: 0x10001 }),
  ed25519: newKey("ed25519", {}),
  secp256k1: newKey("ec", { namedCurve: "secp256k1" }),
};
// Good keys that are no wallets.
const refused_keys = kept.refused_keys ?? {
  rsa_2048: newKey("rsa", { modulusLength: 2048, publicExponent: 0x10001 }),
  rsa_exponent_3: newKey("rsa", { modulusLength: 4096, publicExponent: 3 }),
  p256: newKey("ec", { namedCurve: "prime256v1" }),
  x25519: newKey("x25519", {}),
};

// The signers of arbundles take an Ed25519 key as base58 of the secret and the public half.
const solanaKey = bs58.encode(
  Buffer.concat([Buffer.from(keys.ed25519.d, "base64url"), Buffer.from(keys.ed25519.x, "base64url")]),
);

// Signs as arweave-js does when it is told a length of salt; its own default in Node is the largest that fits.
function rsaSigner(saltLength) {
  return {
    signatureType: 1,
    signatureLength: 512,
    ownerLength: 512,
    publicKey: Buffer.from(keys.rsa.n, "base64url"),
    sign: (message) => arweave.crypto.sign(keys.rsa, message, { saltLength }),
  };
}

const signers = {
  "arbundles ArweaveSigner": new ArweaveSigner(keys.rsa),
  "arweave-js, its own salt": rsaSigner(undefined),
  "arweave-js, salt 0": rsaSigner(0),
  "arweave-js, salt 1": rsaSigner(1),
  "arweave-js, salt 32": rsaSigner(32),
  "arweave-js, salt 477": rsaSigner(477),
  "arweave-js, salt 478": rsaSigner(478),
  "arbundles SolanaSigner (type 2)": new SolanaSigner(solanaKey),
  "arbundles EthereumSigner": new EthereumSigner(Buffer.from(keys.secp256k1.d, "base64url").toString("hex")),
  "arbundles HexSolanaSigner (type 4)": new HexSolanaSigner(solanaKey),
};

const TARGET = "xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh10";
const ANCHOR = "00000000000000000000000000000042";
const tag = (name, value) => ({ name, value });
const contents = {
  bare: { data: "", options: {} },
  target: { data: "hello", options: { target: TARGET } },
  anchor: { data: "hello", options: { anchor: ANCHOR } },
  full: {
    data: Buffer.from([0, 255, 1, 254]),
    options: { target: TARGET, anchor: ANCHOR, tags: [tag("Action", "Transfer"), tag("Quantity", "1000")] },
  },
  unicode: {
    data: "Grüße, 世界",
    options: { tags: [tag("名前", "🦀 don't"), tag("Empty", ""), tag("Long", "é".repeat(500)), tag("Action", "A")] },
  },
  "many tags": { data: "x", options: { tags: Array.from({ length: 128 }, (_, n) => tag(`T${n}`, `${n}`)) } },
};

function describe(name, item) {
  return {
    name,
    bytes: text(item.getRaw()),
    signature_type: item.signatureType,
    id: item.id,
    address: text(sha256(item.rawOwner)),
    target: item.rawTarget.length === 0 ? null : item.target,
    anchor: item.rawAnchor.length === 0 ? null : text(item.rawAnchor),
    tags: item.tags,
    data: text(item.rawData),
  };
}

async function signed(data, signer, options) {
  const item = createData(data, signer, options);
  await item.sign(signer);
  return item;
}

const items = [];
for (const [by, signer] of Object.entries(signers)) {
  for (const [what, { data, options }] of Object.entries(contents)) {
    items.push(describe(`${by}: ${what}`, await signed(data, signer, options)));
  }
}

const inner = [];
for (const by of ["arbundles ArweaveSigner", "arbundles SolanaSigner (type 2)", "arbundles EthereumSigner"]) {
  inner.push(await signed(`from ${by}`, signers[by], contents.full.options));
}
const bundle = await bundleAndSignData(inner, signers["arbundles ArweaveSigner"]);
const BUNDLE_TAGS = [tag("Bundle-Format", "binary"), tag("Bundle-Version", "2.0.0")];
const middle = await signed(bundle.getRaw(), signers["arbundles EthereumSigner"], { tags: BUNDLE_TAGS });
const last = await signed("after the bundle", signers["arbundles HexSolanaSigner (type 4)"], {});
const nested = await bundleAndSignData([middle, last], signers["arbundles ArweaveSigner"]);
const empty = await bundleAndSignData([], signers["arbundles ArweaveSigner"]);
const bundles = [
  { name: "empty", bytes: text(empty.getRaw()), ids: [], nested_ids: [] },
  { name: "three", bytes: text(bundle.getRaw()), ids: bundle.getIds(), nested_ids: bundle.getIds() },
  {
    name: "nested",
    bytes: text(nested.getRaw()),
    ids: [middle.id, last.id],
    nested_ids: [middle.id, ...bundle.getIds(), last.id],
  },
];

const bytes = (value) => (typeof value === "string" ? Buffer.from(value) : value.map(bytes));
const hashes = [];
for (const value of ["", "a", [], [""], [[]], ["a", ["b", [], "c"]], ["ab", "c"], ["a", "bc"]]) {
  hashes.push({ value, hash: text(await deepHash(bytes(value))) });
}

writeFileSync(FILE, JSON.stringify({ keys, refused_keys, items, bundles, deep_hashes: hashes }, null, 1) + "\n");
console.log(`${items.length} items, ${bundles.length} bundles, ${hashes.length} deep hashes`);
