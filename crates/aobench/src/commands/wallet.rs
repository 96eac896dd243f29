//! `aobench wallet`: make a wallet, show its address.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ao::Wallet;
use ao::wallet::WalletKind;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::output::Output;
use crate::session::read_wallet;

/// What can be typed after `aobench wallet`.
#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet
    New {
        /// Where to put it, instead of where the configuration says
        path: Option<PathBuf>,
        /// Its key: rsa works with every AO and Arweave tool, the others are quicker
        #[arg(long, value_enum, default_value_t = Kind::Rsa)]
        kind: Kind,
    },
    /// Print the address of a wallet
    Address {
        /// The wallet, instead of the one that the configuration names
        path: Option<PathBuf>,
    },
}

/// Kinds of keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// RSA with 4096 bits, as Arweave wallets are.
    Rsa,
    /// Ed25519, as Solana wallets are.
    Ed25519,
    /// secp256k1, as Ethereum wallets are.
    Secp256k1,
}

impl From<Kind> for WalletKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Rsa => Self::Rsa4096,
            Kind::Ed25519 => Self::Ed25519,
            Kind::Secp256k1 => Self::Secp256k1,
        }
    }
}

pub(crate) fn run(global: &GlobalArguments, command: WalletCommand, output: Output) -> anyhow::Result<()> {
    let configured = || Config::load(global).map(|config| config.client.wallet);
    match command {
        WalletCommand::New { path, kind } => {
            let path = path.map_or_else(configured, Ok)?;
            let wallet = create(&path, kind.into())?;
            let value = json!({ "address": wallet.address(), "path": path });
            output.result(&value, |_| format!("{}\nkept in {}", wallet.address(), path.display()))
        }
        WalletCommand::Address { path } => {
            let address = read_wallet(&path.map_or_else(configured, Ok)?)?.address();
            output.result(&json!({ "address": address }), |_| address.to_string())
        }
    }
}

/// Makes a wallet in a file that only its owner may read. A file that is there is never overwritten: it may hold money.
pub(crate) fn create(path: &Path, kind: WalletKind) -> anyhow::Result<Wallet> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    let wallet = Wallet::generate(kind)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| {
        format!("{} cannot be made (a wallet that is there is never overwritten; choose another path)", path.display())
    })?;
    file.write_all(wallet.to_jwk().as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    file.sync_all().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(wallet)
}
