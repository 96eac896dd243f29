//! The configuration as it is written: every value optional, nothing checked but its form.

use inference::InstructionSet;
use serde::Deserialize;

/// The commented default, which `aobench config default` prints.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) client: RawClient,
    pub(super) node: RawNode,
    pub(super) worker: RawWorker,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClient {
    pub(super) url: Option<String>,
    pub(super) wallet: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNode {
    pub(super) listen: Option<String>,
    pub(super) data: Option<String>,
    pub(super) upload_gib_max: Option<u64>,
    pub(super) gateways: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWorker {
    pub(super) data: Option<String>,
    pub(super) capacity: Option<u32>,
    pub(super) threads: Option<u32>,
    pub(super) instructions: Option<InstructionSet>,
    pub(super) memory_gib_max: Option<u64>,
    pub(super) model_space_gib: Option<u64>,
}

impl RawConfig {
    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Lays another configuration over this one: what it sets, holds.
    pub(super) fn overlay(&mut self, over: Self) {
        fn lay<T>(under: &mut Option<T>, over: Option<T>) {
            if over.is_some() {
                *under = over;
            }
        }
        lay(&mut self.client.url, over.client.url);
        lay(&mut self.client.wallet, over.client.wallet);
        lay(&mut self.node.listen, over.node.listen);
        lay(&mut self.node.data, over.node.data);
        lay(&mut self.node.upload_gib_max, over.node.upload_gib_max);
        lay(&mut self.node.gateways, over.node.gateways);
        lay(&mut self.worker.data, over.worker.data);
        lay(&mut self.worker.capacity, over.worker.capacity);
        lay(&mut self.worker.threads, over.worker.threads);
        lay(&mut self.worker.instructions, over.worker.instructions);
        lay(&mut self.worker.memory_gib_max, over.worker.memory_gib_max);
        lay(&mut self.worker.model_space_gib, over.worker.model_space_gib);
    }
}
