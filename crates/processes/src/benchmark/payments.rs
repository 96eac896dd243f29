//! Money that leaves. What is to be paid is written down in the message that decides it; the transfers follow in portions
//! and are done when the token says so. A transfer is sent again only after the token has refused the last one, so nothing
//! is paid twice.

use ao::{Id, MessageKind, Outgoing, Quantity};

use super::competitor::Competitor;
use super::pool::{self, Status};
use super::turn::Turn;
use crate::limits::TRANSFER_ATTEMPTS_MAX;
use crate::payload::{parsed, quoted, required};
use crate::{Fault, column, readable};

/// Money that goes back to who paid it.
pub(super) struct Refund {
    /// The notice by which it came; each is refunded at most once.
    pub(super) notice: Id,
    /// The pool that it had become part of.
    pub(super) pool: Option<Id>,
    pub(super) payer: Id,
    pub(super) quantity: Quantity,
}

/// What a place of a settled pool is paid.
pub(super) struct Payout {
    pub(super) pool: Id,
    pub(super) rank: u32,
    pub(super) model: Competitor,
    pub(super) participant: Id,
    pub(super) quantity: Quantity,
}

/// A transfer as the token is asked for it.
struct Transfer {
    id: String,
    kind: String,
    participant: Id,
    quantity: Quantity,
    token: Id,
    reason: String,
}

/// Writes down a refund.
pub(super) fn decide_refund(turn: &mut Turn<'_, '_>, token: &Id, refund: &Refund, reason: &str) -> Result<(), Fault> {
    let now_ms = turn.now_ms();
    turn.store.execute(
        "INSERT INTO payouts (id, kind, pool, participant, quantity, token, status, reason, decided_ms)
         VALUES (?, 'refund', ?, ?, ?, ?, 'intent', ?, ?)",
        (
            refund.notice.to_string(),
            refund.pool.map(|pool| pool.to_string()),
            refund.payer.to_string(),
            refund.quantity.to_string(),
            token.to_string(),
            reason,
            now_ms,
        ),
    )?;
    Ok(())
}

/// Writes down a payout. Its id is pool and rank, so that a place is paid once whatever happens.
pub(super) fn decide_payout(turn: &mut Turn<'_, '_>, payout: &Payout) -> Result<(), Fault> {
    let now_ms = turn.now_ms();
    let token = turn.settings.token.to_string();
    turn.store.execute(
        "INSERT INTO payouts (id, kind, pool, rank, model, participant, quantity, token, status, decided_ms)
         VALUES (?, 'payout', ?, ?, ?, ?, ?, ?, 'intent', ?)",
        (
            format!("{}:{}", payout.pool, payout.rank),
            payout.pool.to_string(),
            payout.rank,
            payout.model.to_string(),
            payout.participant.to_string(),
            payout.quantity.to_string(),
            token,
            now_ms,
        ),
    )?;
    Ok(())
}

/// Sends as many of the transfers that wait as fit into this message.
pub(super) fn send_waiting(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = "SELECT id, kind, participant, quantity, token, reason FROM payouts
               WHERE status = 'intent' ORDER BY decided_ms, rowid LIMIT ?";
    let waiting = turn.store.all(sql, [turn.room() as u64], |row| {
        Ok(Transfer {
            id: row.get(0)?,
            kind: row.get(1)?,
            participant: column::parsed(row, 2)?,
            quantity: column::parsed(row, 3)?,
            token: column::parsed(row, 4)?,
            reason: row.get(5)?,
        })
    })?;
    for transfer in waiting {
        let mut outgoing = Outgoing::new(transfer.token, "Transfer")
            .tag("Recipient", transfer.participant)
            .tag("Quantity", transfer.quantity)
            .tag("Notify-Undeliverable", "true")
            .tag(if transfer.kind == "refund" { "X-Refund" } else { "X-Payout" }, &transfer.id);
        if !transfer.reason.is_empty() {
            outgoing.tags.push("X-Error", transfer.reason);
        }
        let message = turn.send_known(outgoing);
        let sql = "UPDATE payouts SET status = 'sent', attempts = attempts + 1, message = ? WHERE id = ?";
        turn.store.execute(sql, (message.to_string(), transfer.id))?;
    }
    Ok(())
}

/// Whether transfers wait for a later message.
pub(super) fn are_waiting(turn: &Turn<'_, '_>) -> Result<bool, Fault> {
    turn.store.value("SELECT EXISTS (SELECT 1 FROM payouts WHERE status = 'intent')", ())
}

/// A row of the payouts as the answer of a token must fit it.
struct Sent {
    id: String,
    pool: Option<Id>,
    participant: Id,
    quantity: Quantity,
    token: Id,
    status: String,
}

fn read_sent(row: &rusqlite::Row<'_>) -> rusqlite::Result<Sent> {
    Ok(Sent {
        id: row.get(0)?,
        pool: column::optional(row, 1)?,
        participant: column::parsed(row, 2)?,
        quantity: column::parsed(row, 3)?,
        token: column::parsed(row, 4)?,
        status: row.get(5)?,
    })
}

/// The token says that it has paid.
pub(super) fn debit_notice(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let message = turn.message;
    let id = message.tag("X-Payout").or_else(|| message.tag("X-Refund")).ok_or(Fault::MissingTag("X-Payout"))?;
    let sql = "SELECT id, pool, participant, quantity, token, status FROM payouts WHERE id = ?";
    let sent = turn.store.first(sql, [id], read_sent)?;
    let sent = sent.ok_or_else(|| Fault::NotFound { what: "payout", name: quoted(id) })?;
    only_its_token(turn, &sent, "Debit-Notice")?;
    let (recipient, quantity) = (parsed::<Id>(message, "Recipient")?, parsed::<Quantity>(message, "Quantity")?);
    if (recipient, quantity) != (sent.participant, sent.quantity) {
        let (to, due) = (sent.participant, sent.quantity);
        return Err(Fault::Refused(format!(
            "{quantity} to {recipient} is not the payout '{id}', which is {due} to {to}"
        )));
    }
    if sent.status == "paid" {
        turn.say(format!("the payout {id} was paid before"));
        return Ok(());
    }
    let sql = "UPDATE payouts SET status = 'paid', error = '', paid_ms = ? WHERE id = ?";
    turn.store.execute(sql, (turn.message.timestamp_ms, id))?;
    turn.say(format!("the payout {id} is paid"));
    if let Some(pool) = sent.pool {
        finish_pool(turn, &pool)?;
    }
    Ok(())
}

/// The token says that it has not paid. The daily tick tries again.
pub(super) fn transfer_error(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let transfer: Id = parsed(turn.message, "Message-Id")?;
    let error = readable::sentence(required(turn.message, "Error")?);
    let sent = transferred(turn, &transfer)?;
    only_its_token(turn, &sent, "Transfer-Error")?;
    not_paid(turn, &sent, &error)
}

/// The node says that the token could not handle a transfer, so that nothing of it happened, or that there is no such
/// process. It is as if the token had refused.
pub(super) fn transfer_undeliverable(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let transfer: Id = parsed(turn.message, "Reference")?;
    let error = turn.message.tag("Error").unwrap_or("there is no such token on this node");
    let (error, sent) = (readable::sentence(error), transferred(turn, &transfer)?);
    not_paid(turn, &sent, &error)
}

/// The payout of which this is the newest transfer.
fn transferred(turn: &Turn<'_, '_>, transfer: &Id) -> Result<Sent, Fault> {
    let sql = "SELECT id, pool, participant, quantity, token, status FROM payouts WHERE message = ?";
    let sent = turn.store.first(sql, [transfer.to_string()], read_sent)?;
    sent.ok_or_else(|| Fault::NotFound { what: "transfer", name: transfer.to_string() })
}

fn not_paid(turn: &mut Turn<'_, '_>, sent: &Sent, error: &str) -> Result<(), Fault> {
    if sent.status != "sent" {
        turn.say(format!("the payout {} is {}", sent.id, sent.status));
        return Ok(());
    }
    turn.store.execute("UPDATE payouts SET status = 'failed', error = ? WHERE id = ?", (error, &sent.id))?;
    turn.say_error(format!("the token refused the payout {}: {error}", sent.id));
    Ok(())
}

/// Lets the transfers that were refused be sent again: by the clock as often as [`TRANSFER_ATTEMPTS_MAX`] says, after that
/// when the owner asks.
pub(super) fn retry_failed(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let by_clock = turn.message.kind == MessageKind::Cron;
    if !by_clock && turn.message.from != turn.env.owner {
        return Ok(());
    }
    let most = if by_clock { TRANSFER_ATTEMPTS_MAX } else { u32::MAX };
    turn.store.execute("UPDATE payouts SET status = 'intent' WHERE status = 'failed' AND attempts < ?", [most])?;
    Ok(())
}

/// A wallet, or another token, cannot speak for the token that was asked.
fn only_its_token(turn: &Turn<'_, '_>, sent: &Sent, action: &'static str) -> Result<(), Fault> {
    let from = turn.message.from;
    if sent.token == from {
        return Ok(());
    }
    Err(Fault::NotAllowed { action, allowed: "the token that was asked for the transfer", from })
}

/// Once its last payout is made, a settling pool is settled.
fn finish_pool(turn: &mut Turn<'_, '_>, id: &Id) -> Result<(), Fault> {
    let pool = pool::get(turn.store, id)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM payouts WHERE pool = ? AND status <> 'paid')";
    let unpaid: bool = turn.store.value(sql, [id.to_string()])?;
    if pool.status != Status::Settling || unpaid {
        return Ok(());
    }
    pool::set_status(turn.store, id, Status::Settled, None)?;
    let message = Outgoing::new(pool.funder, "Pool-Settled").tag("Pool", id).tag("Quantity", pool.funds);
    turn.send(message.data(format!("the pool {id} is settled: {} were paid", pool.funds)));
    Ok(())
}
