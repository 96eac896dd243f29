//! Quantities as people write and read them: in whole tokens, with the token's own ticker.

use anyhow::Context as _;
use ao::{Id, Quantity};
use serde::Deserialize;

use crate::session::{Session, action};

/// What is needed to read and write quantities of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Money {
    /// The token process.
    pub(crate) token: Id,
    ticker: String,
    denomination: u32,
}

#[derive(Debug, Deserialize)]
struct TokenInfo {
    ticker: String,
    denomination: u32,
}

impl Money {
    /// The money of a token process.
    pub(crate) async fn of(session: &Session, token: &Id) -> anyhow::Result<Self> {
        let info: TokenInfo = session.read(token, action("Info"), "").await?;
        Ok(Self { token: *token, ticker: info.ticker, denomination: info.denomination })
    }

    /// Reads whole tokens (`1000.5`).
    pub(crate) fn parse(&self, text: &str) -> anyhow::Result<Quantity> {
        Quantity::from_decimal(text, self.denomination).with_context(|| {
            format!(
                "'{text}' is no amount of {}; write whole {} with up to {} decimals",
                self.ticker, self.ticker, self.denomination
            )
        })
    }

    /// Whole tokens with the ticker, rounded down to six decimals for the eye.
    pub(crate) fn show(&self, quantity: Quantity) -> String {
        let text = quantity.to_decimal(self.denomination);
        let text = match text.split_once('.') {
            Some((whole, fraction)) if fraction.len() > 6 => format!("{whole}.{}…", &fraction[..6]),
            _ => text,
        };
        format!("{text} {}", self.ticker)
    }
}
