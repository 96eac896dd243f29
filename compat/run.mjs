// Drives the real clients against a node of this repository: `npm ci && cargo build -p aobench && node run.mjs`.
// Environment: AOBENCH, the binary (../target/debug/aobench); AOS, a checkout of permaweb/aos with its packages installed
// (../target/aos, where fetch_aos.sh puts one), whose command line is then checked too; VERBOSE=1 shows errors in full and what the node logs.

import './redirect.mjs'
import { embeddingModel, startNode } from './node.mjs'
import { runAll } from './suite.mjs'
import './checks/aoconnect-legacy.mjs'
import './checks/aoconnect-mainnet.mjs'
import './checks/items.mjs'
import './checks/gateway.mjs'
import './checks/services.mjs'
import './checks/original.mjs'
import './checks/aos.mjs'
import './checks/modules.mjs'

const node = await startNode({ model: embeddingModel('searches by meaning') })
let good = false
try {
  good = await runAll(node)
} finally {
  await node.stop()
}
process.exit(good ? 0 : 1)
