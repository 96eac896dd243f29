//! The benchmark process: pools of money on datasets, the models that compete for them, and the payouts.
//!
//! A transfer of the token to this process, with `X-Dataset` and `X-Allocation`, is a pool. Trainers join it with models,
//! datasets report scores, and when the clock reaches the end of the pool the money is paid out by the rule that was fixed
//! when it was funded. Nobody decides anything by hand.

pub mod allocation;
mod audit;
mod duration;
mod entry;
mod funding;
mod joining;
mod leaderboard;
mod lookups;
mod opening;
mod options;
mod payments;
mod pool;
mod ranking;
mod schema;
mod scores;
mod settings;
mod settlement;
mod significance;
mod turn;
mod views;

use ao::{Effects, Message, MessageKind};

use self::settings::Settings;
use self::turn::Turn;
use crate::payload::quoted;
use crate::{Cron, Env, Fault, Module, Publication, Store};

pub use self::audit::{Books, PoolBooks, audit};

/// The actions of a benchmark for people, as an error names them.
const ACTIONS: &str = "Info, Get-Overview, Get-Pools, Get-Pool, Leaderboard, Get-Days, Get-Fundings, \
     Get-Entry, Get-Entries, Get-Payouts, Join-Pool, Update-Leaderboard, Allocate-Rewards and \
     Return-Held";

/// The period of the clocks, milliseconds: 24 hours.
const DAILY_MS: u64 = 86_400_000;

/// The benchmark module.
#[derive(Debug, Clone, Copy)]
pub struct Benchmark;

impl Module for Benchmark {
    fn name(&self) -> &'static str {
        "benchmark"
    }

    fn spawn(&self, store: &mut Store<'_>, _message: &Message, env: &Env) -> Result<Effects, Fault> {
        Settings::read(env)?;
        schema::create(store)?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let settings = Settings::read(env)?;
        let mut turn = Turn::new(store, message, env, settings);
        if !answer(&mut turn)? {
            // What was due by now comes first, whatever the message wants; and the message may have made something due.
            settlement::run_due(&mut turn)?;
            change(&mut turn)?;
            settlement::run_due(&mut turn)?;
            payments::send_waiting(&mut turn)?;
            turn.effects.wake_at_ms = settlement::next_wake_ms(&turn)?;
        }
        Ok(turn.effects)
    }

    fn crons(&self) -> &'static [Cron] {
        &[
            Cron { action: "Update-Leaderboard", every_ms: DAILY_MS },
            Cron { action: "Allocate-Rewards", every_ms: DAILY_MS },
        ]
    }

    fn publications(&self) -> &'static [Publication] {
        &[
            Publication {
                path: &["pools", "*", "leaderboard"],
                action: "Leaderboard",
                argument: Some("Pool"),
                part: Some("leaderboard"),
            },
            Publication {
                path: &["pools", "*", "payouts"],
                action: "Leaderboard",
                argument: Some("Pool"),
                part: Some("payouts"),
            },
            Publication { path: &["pools", "*"], action: "Get-Pool", argument: Some("Pool"), part: None },
            Publication { path: &["pools"], action: "Get-Pools", argument: None, part: None },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ]
    }
}

/// Answers a question, which changes nothing; whether the message was one.
fn answer(turn: &mut Turn<'_, '_>) -> Result<bool, Fault> {
    match turn.message.action() {
        "Info" => views::info(turn)?,
        "Get-Pools" => views::pools(turn)?,
        "Get-Pool" => views::one_pool(turn)?,
        "Leaderboard" => views::leaderboard(turn)?,
        "Get-Overview" => lookups::overview(turn)?,
        "Get-Entry" => lookups::one_entry(turn)?,
        "Get-Entries" => lookups::entries(turn)?,
        "Get-Payouts" => lookups::payouts(turn)?,
        "Get-Fundings" => lookups::fundings(turn)?,
        "Get-Days" => lookups::days(turn)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Carries out a message that may change something. Each handler checks by itself whom the message is from.
fn change(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    match turn.message.action() {
        "Credit-Notice" => funding::credit_notice(turn),
        "Debit-Notice" => payments::debit_notice(turn),
        "Transfer-Error" => payments::transfer_error(turn),
        "Dataset-Frozen" => opening::dataset_frozen(turn),
        "Dataset-Error" => opening::dataset_error(turn),
        "Undeliverable" => opening::undeliverable(turn),
        "Join-Pool" => joining::join_pool(turn),
        "Model-Facts" => joining::model_facts(turn),
        "Score-Response" => scores::score_response(turn),
        "Update-Leaderboard" => leaderboard::update(turn),
        "Return-Held" => funding::return_held(turn),
        "Allocate-Rewards" => {
            payments::retry_failed(turn)?;
            turn.say("rewards are allocated by the clock; what was due is done");
            Ok(())
        }
        "Wake" if turn.message.kind == MessageKind::Cron => Ok(()),
        "Create-Pool" => Err(Fault::Refused(format!(
            "a pool is created with money: send a Transfer to the token {} with this process as Recipient and the tags \
             X-Dataset and X-Allocation",
            turn.settings.token
        ))),
        other => Err(Fault::UnknownAction { action: quoted(other), known: ACTIONS.to_owned() }),
    }
}
