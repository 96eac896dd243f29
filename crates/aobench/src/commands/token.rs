//! `aobench token`: balances and transfers.

use anyhow::{Context as _, bail};
use ao::{Id, Quantity};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::money::Money;
use crate::arguments::GlobalArguments;
use crate::output::Output;
use crate::session::{Session, action};

/// What can be typed after `aobench token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show what a token is
    Info {
        /// The token process
        #[arg(long, default_value = "token")]
        token: String,
    },
    /// Show a balance
    Balance {
        /// Whose; your own if left out
        address: Option<Id>,
        /// The token process
        #[arg(long, default_value = "token")]
        token: String,
    },
    /// Send tokens
    Transfer {
        /// To whom
        recipient: Id,
        /// How many whole tokens, as 1000.5
        amount: String,
        /// A tag that goes along, as X-Dataset=…
        #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = super::send::parse_tag)]
        tags: Vec<ao::Tag>,
        /// The token process
        #[arg(long, default_value = "token")]
        token: String,
    },
    /// Make new tokens (the owner of the token process only)
    Mint {
        /// How many whole tokens, as 1000.5
        amount: String,
        /// For whom; yourself if left out
        #[arg(long)]
        recipient: Option<Id>,
        /// The token process
        #[arg(long, default_value = "token")]
        token: String,
    },
}

#[derive(Debug, Serialize)]
struct Transferred {
    message: Id,
    recipient: Id,
    quantity: Quantity,
}

pub(crate) async fn run(global: &GlobalArguments, command: TokenCommand, output: Output) -> anyhow::Result<()> {
    match command {
        TokenCommand::Info { token } => {
            let session = Session::reading(global).await?;
            let info: serde_json::Value = session.read(&session.process(&token)?, action("Info"), "").await?;
            output.result(&info, super::process::fields)
        }
        TokenCommand::Balance { address, token } => {
            let session = Session::reading(global).await?;
            let address = match address {
                Some(address) => address,
                None => Session::signing(global).await?.address()?,
            };
            let money = Money::of(&session, &session.process(&token)?).await?;
            let quantity = balance(&session, &money.token, &address).await?;
            output.result(&json!({ "address": address, "balance": quantity }), |_| money.show(quantity))
        }
        TokenCommand::Transfer { recipient, amount, tags, token } => {
            let session = Session::signing(global).await?;
            let money = Money::of(&session, &session.process(&token)?).await?;
            let quantity = money.parse(&amount)?;
            let mut all =
                action("Transfer").with("Recipient", recipient.to_string()).with("Quantity", quantity.to_string());
            all.extend(tags);
            let message = send_money(&session, &money, all).await?;
            output.result(&Transferred { message, recipient, quantity }, |_| {
                format!("{} sent to {recipient}", money.show(quantity))
            })
        }
        TokenCommand::Mint { amount, recipient, token } => {
            let session = Session::signing(global).await?;
            let money = Money::of(&session, &session.process(&token)?).await?;
            let quantity = money.parse(&amount)?;
            let recipient = recipient.map_or_else(|| session.address(), Ok)?;
            let tags = action("Mint").with("Recipient", recipient.to_string()).with("Quantity", quantity.to_string());
            let (message, result) = session.client.request(money.token, tags, "").await?;
            if let Some(error) = result.output.error {
                bail!("{error}");
            }
            output.result(&Transferred { message, recipient, quantity }, |_| {
                format!("{} made for {recipient}", money.show(quantity))
            })
        }
    }
}

/// A balance, without sending anything.
pub(crate) async fn balance(session: &Session, token: &Id, address: &Id) -> anyhow::Result<Quantity> {
    let tags = action("Balance").with("Recipient", address.to_string());
    let text = session.client.dry_run(token, tags, "").await?.output.data;
    text.parse().with_context(|| format!("{token} answered what is no balance: {text:.80}"))
}

/// Sends a message that moves money, and waits until the token has said yes or no; the id of the message.
pub(crate) async fn send_money(session: &Session, money: &Money, tags: ao::Tags) -> anyhow::Result<Id> {
    let (message, result) = session.client.request(money.token, tags, "").await?;
    if let Some(refusal) = result.message("Transfer-Error") {
        bail!("the token refused the transfer: {}", refusal.tags.get("Error").unwrap_or("no reason given"));
    }
    Ok(message)
}
