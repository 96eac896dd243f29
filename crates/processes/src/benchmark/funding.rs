//! Money that arrives. A Credit-Notice from the token becomes a pool, adds to one, or goes back to its payer: there is no
//! fourth way, and each notice is booked once.

use ao::{Id, Message, MessageKind, Outgoing, Quantity};

use super::competitor::Competitors;
use super::options::Options;
use super::payments::{self, Refund};
use super::pool::{self, Pool, Status};
use super::turn::Turn;
use crate::limits::{FUNDINGS_PER_POOL_MAX, POOL_OPENING_MS, POOLS_PER_FUNDER_MAX};
use crate::payload::{only, optional, parsed, quantity};
use crate::{Fault, Store, column};

/// Money that a token says it has booked to this process.
struct Notice {
    id: Id,
    token: Id,
    /// Who paid; money goes back there, and never to `token`, which only brought the notice.
    payer: Id,
    quantity: Quantity,
}

/// Books the money of a Credit-Notice.
pub(super) fn credit_notice(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let token = turn.message.from;
    let ours = token == turn.settings.token;
    if !ours && !is_from_a_process(turn.message) {
        return Err(Fault::NotAllowed { action: "Credit-Notice", allowed: "the token of this benchmark", from: token });
    }
    let notice = Notice {
        id: turn.message.id,
        token,
        payer: parsed(turn.message, "Sender")?,
        quantity: quantity(turn.message)?,
    };
    if is_booked(turn.store, &notice.id)? {
        turn.say(format!("the notice {} is already booked", notice.id));
        return Ok(());
    }
    let booked = if !ours {
        Err(Fault::Refused(format!("this benchmark is paid in the token {} only", turn.settings.token)))
    } else if turn.message.tag("X-Pool").is_some() {
        top_up(turn, &notice)
    } else {
        create(turn, &notice)
    };
    match booked {
        Ok(()) => Ok(()),
        Err(fault @ Fault::Store(_)) => Err(fault),
        Err(fault) => give_back(turn, &notice, &fault.to_string()),
    }
}

/// A wallet signs items and processes push messages. A signed item from a process came by way of a node that the process
/// item of this benchmark lists as its authority.
fn is_from_a_process(message: &Message) -> bool {
    message.kind == MessageKind::Pushed || message.from != message.owner
}

/// Whether a notice has already become something.
fn is_booked(store: &Store<'_>, notice: &Id) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pool_funding WHERE notice = ?1)
                   OR EXISTS (SELECT 1 FROM payouts WHERE id = ?1)
                   OR EXISTS (SELECT 1 FROM held WHERE notice = ?1)";
    store.value(sql, [notice.to_string()])
}

/// A new pool with the rules of the notice's tags. It opens when the dataset has answered.
fn create(turn: &mut Turn<'_, '_>, notice: &Notice) -> Result<(), Fault> {
    let rules = Options::read(turn.message)?;
    check_minimum(turn, notice)?;
    if rules.dataset == turn.env.process {
        return Err(Fault::Refused("X-Dataset is this benchmark itself; it must be a dataset process".to_owned()));
    }
    let sql = "SELECT count(*) FROM pools WHERE funder = ? AND status IN ('Opening', 'Open')";
    let open: u32 = turn.store.value(sql, [notice.payer.to_string()])?;
    if open >= POOLS_PER_FUNDER_MAX {
        return Err(Fault::Refused(format!("the funder has {POOLS_PER_FUNDER_MAX} open pools, the most there can be")));
    }
    let dataset = rules.dataset;
    let pool = Pool {
        id: notice.id,
        funder: notice.payer,
        funds: notice.quantity,
        grace_end_ms: rules.end_ms + turn.settings.grace_ms,
        rules,
        status: Status::Opening,
        reason: String::new(),
        questions: 0,
        content_hash: String::new(),
        protocol: String::new(),
        dataset_title: String::new(),
        synthetic: false,
        competitors: Competitors::Models,
        points: 1,
        created_slot: turn.message.slot,
        created_ms: turn.now_ms(),
    };
    pool::insert(turn.store, &pool, turn.now_ms() + POOL_OPENING_MS)?;
    book(turn, &pool.id, notice)?;
    turn.send(
        Outgoing::new(dataset, "Freeze-Dataset")
            .tag("Pool", pool.id)
            .tag("End", pool.grace_end_ms)
            .tag("Reference", pool.id)
            .tag("Notify-Undeliverable", "true"),
    );
    turn.say(format!("the pool {} opens when the dataset {dataset} has answered", pool.id));
    Ok(())
}

/// More money for a pool that has not ended. Its rules stay as they are.
fn top_up(turn: &mut Turn<'_, '_>, notice: &Notice) -> Result<(), Fault> {
    let id: Id = parsed(turn.message, "X-Pool")?;
    let pool = pool::get(turn.store, &id)?;
    check_minimum(turn, notice)?;
    let running = matches!(pool.status, Status::Opening | Status::Open) && turn.now_ms() < pool.rules.end_ms;
    if !running {
        return Err(Fault::Refused(format!("the pool {id} has ended: it takes no more money")));
    }
    if optional::<Id>(turn.message, "X-Dataset")?.is_some_and(|dataset| dataset != pool.rules.dataset) {
        return Err(Fault::Refused(format!("the pool {id} is on the dataset {}", pool.rules.dataset)));
    }
    if turn.message.tag("X-Allocation").is_some_and(|name| name != pool.rules.allocation.name()) {
        let name = pool.rules.allocation.name();
        return Err(Fault::Refused(format!("the allocation of the pool {id} is {name} for good")));
    }
    let sql = "SELECT count(*) FROM pool_funding WHERE pool = ?";
    let fundings: u32 = turn.store.value(sql, [id.to_string()])?;
    if fundings >= FUNDINGS_PER_POOL_MAX {
        return Err(Fault::Refused(format!(
            "the pool {id} was funded {FUNDINGS_PER_POOL_MAX} times, the most it can be"
        )));
    }
    let funds = pool.funds.checked_add(notice.quantity);
    let funds = funds.ok_or_else(|| Fault::Refused(format!("the pool {id} cannot hold more than 2^128 - 1")))?;
    turn.store.execute("UPDATE pools SET funds = ? WHERE id = ?", (funds.to_string(), id.to_string()))?;
    book(turn, &id, notice)?;
    let message = Outgoing::new(notice.payer, "Pool-Topped-Up").tag("Pool", id).tag("Quantity", notice.quantity);
    turn.send(message.tag("Funds", funds));
    turn.say(format!("the pool {id} now holds {funds}"));
    Ok(())
}

fn check_minimum(turn: &Turn<'_, '_>, notice: &Notice) -> Result<(), Fault> {
    let least = turn.settings.minimum_fund;
    if notice.quantity < least {
        let reason = format!("a pool is funded with at least {least} at a time");
        return Err(Fault::BadTag { name: "Quantity", value: notice.quantity.to_string(), reason });
    }
    Ok(())
}

fn book(turn: &mut Turn<'_, '_>, pool: &Id, notice: &Notice) -> Result<(), Fault> {
    let now_ms = turn.now_ms();
    turn.store.execute(
        "INSERT INTO pool_funding (notice, pool, funder, quantity, funded_ms) VALUES (?, ?, ?, ?, ?)",
        (notice.id.to_string(), pool.to_string(), notice.payer.to_string(), notice.quantity.to_string(), now_ms),
    )?;
    Ok(())
}

/// Sends money that cannot be used back to who paid it, with the reason.
fn give_back(turn: &mut Turn<'_, '_>, notice: &Notice, reason: &str) -> Result<(), Fault> {
    turn.say_error(reason);
    if turn.message.tag("X-Refund").is_some() {
        return hold(turn, notice, reason);
    }
    let refund = Refund { notice: notice.id, pool: None, payer: notice.payer, quantity: notice.quantity };
    payments::decide_refund(turn, &notice.token, &refund, reason)?;
    if notice.token == turn.settings.token {
        turn.send(pool_error(&notice.payer, &notice.id, reason));
    }
    turn.say(format!("{} go back to {}", notice.quantity, notice.payer));
    Ok(())
}

/// What a funder is told whose money became no pool.
pub(super) fn pool_error(funder: &Id, notice: &Id, reason: &str) -> Outgoing {
    Outgoing::new(*funder, "Pool-Error").tag("Pool", notice).tag("Error", reason).data(reason)
}

/// Keeps money that is itself a refund and names no pool: two processes that refund each other would never end.
fn hold(turn: &mut Turn<'_, '_>, notice: &Notice, reason: &str) -> Result<(), Fault> {
    let now_ms = turn.now_ms();
    turn.store.execute(
        "INSERT INTO held (notice, token, sender, quantity, reason, held_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (
            notice.id.to_string(),
            notice.token.to_string(),
            notice.payer.to_string(),
            notice.quantity.to_string(),
            reason,
            now_ms,
        ),
    )?;
    turn.say(format!("{} are held: a refund is not refunded", notice.quantity));
    Ok(())
}

/// `Return-Held`: the owner has looked at money that is held, and lets it go back to who sent it. A person decides each
/// time, so that it cannot go round for ever.
pub(super) fn return_held(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.env.owner, "the owner of this process", "Return-Held")?;
    let id: Id = parsed(turn.message, "Notice")?;
    let sql = "SELECT token, sender, quantity FROM held WHERE notice = ?";
    let found = turn.store.first(sql, [id.to_string()], |row| {
        let (payer, quantity) = (column::parsed(row, 1)?, column::parsed(row, 2)?);
        Ok((column::parsed::<Id>(row, 0)?, Refund { notice: id, pool: None, payer, quantity }))
    })?;
    let (token, refund) = found.ok_or_else(|| Fault::NotFound { what: "held notice", name: id.to_string() })?;
    payments::decide_refund(turn, &token, &refund, "returned by the owner")?;
    turn.store.execute("DELETE FROM held WHERE notice = ?", [id.to_string()])?;
    turn.say(format!("{} go back to {}", refund.quantity, refund.payer));
    Ok(())
}
