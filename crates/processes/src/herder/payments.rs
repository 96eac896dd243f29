//! Fees: what came for which prompt, and where it went. Every fee that arrives is held for a job, and leaves once: to the
//! worker that answered, or back to its payer.
//!
//! The payer is the `Sender` of a credit notice from the configured token, never the sender of the message: that is the
//! token process itself, and money sent there is lost.

use ao::{Id, Message, MessageKind, Outgoing, Quantity};
use rusqlite::params;

use crate::Fault;
use crate::payload::{only, parsed as parsed_tag, quantity, required};

use super::limits::{PAYMENT_ATTEMPTS_MAX, PAYMENT_RETRY_MS, TOKENS_MAX};
use super::requests::NewJob;
use super::schema::parsed;
use super::settings::bad_tag;
use super::turn::{Turn, refusal};
use super::wire::Request;

/// Payments sent again while one message is handled.
const RETRIES_PER_MESSAGE_MAX: i64 = 10;

impl Turn<'_, '_> {
    /// `Credit-Notice`: money came. From the configured token it pays for a prompt; from another token it goes back; from
    /// a wallet the notice is forged.
    pub(super) fn credit_notice(&mut self) -> Result<(), Fault> {
        if Some(self.message.from) != self.settings.token {
            return self.foreign_credit();
        }
        let payer: Id = parsed_tag(self.message, "Sender")?;
        let quantity = quantity(self.message)?;
        let notice = self.message.id;
        let sql = "INSERT INTO payments (notice, payer, quantity, state) VALUES (?1, ?2, ?3, 'held')
                   ON CONFLICT (notice) DO NOTHING";
        if self.store.execute(sql, params![notice.to_string(), payer.to_string(), quantity.to_string()])? == 0 {
            self.say("this notice was seen before");
            return Ok(());
        }
        let taken = match self.read_paid_request(payer, quantity) {
            Ok(job) => self.enqueue(job)?.map_err(|reason| ("busy", reason)),
            Err(fault) => Err(("request", fault.to_string())),
        };
        match taken {
            Ok(number) => self.say(format!("job {number}")),
            Err((fault, reason)) => {
                self.refund_held(&notice, &reason)?;
                self.send(refusal(payer, &self.reference("X-Reference"), fault, &reason));
                self.say_error(reason);
            }
        }
        Ok(())
    }

    fn foreign_credit(&mut self) -> Result<(), Fault> {
        if self.message.kind != MessageKind::Pushed {
            return only(
                self.message,
                &self.settings.token.unwrap_or_default(),
                "the configured token",
                "Credit-Notice",
            );
        }
        let payer: Id = parsed_tag(self.message, "Sender")?;
        let quantity = quantity(self.message)?;
        let reason = "this herder does not take this token";
        self.send(
            Outgoing::new(self.message.from, "Transfer")
                .tag("Recipient", payer)
                .tag("Quantity", quantity)
                .tag("X-Refund", self.message.id)
                .tag("X-Error", reason),
        );
        self.say_error(reason);
        Ok(())
    }

    fn read_paid_request(&self, payer: Id, quantity: Quantity) -> Result<NewJob, Fault> {
        let tokens: u32 = parsed_tag(self.message, "X-Tokens")?;
        if !(1..=TOKENS_MAX).contains(&tokens) {
            let range = format!("1 to {TOKENS_MAX} tokens can be asked for");
            return Err(bad_tag("X-Tokens", &tokens.to_string(), &range));
        }
        let prompt = required(self.message, "X-Prompt")?;
        match Request::read(prompt.as_bytes()) {
            Ok(Request::Plain(_)) => {}
            Ok(Request::Batch(_)) => return Err(bad_tag("X-Prompt", prompt, &"it is one prompt, not a batch")),
            Err(error) => return Err(bad_tag("X-Prompt", prompt, &error)),
        }
        if self.settings.fee(tokens).is_none_or(|fee| quantity.units() < fee) {
            let (each, prompt) = (self.settings.fee_per_token, self.settings.fee_per_prompt);
            return Err(Fault::Refused(format!(
                "{tokens} tokens cost {each} each and their prompt {prompt}, and {quantity} is too little"
            )));
        }
        let names = ["X-WorkerType", "X-Model", "X-File-Hash", "X-Reference"];
        let job = self.new_job(names, 1, prompt.as_bytes().to_vec())?;
        let fee_per_token = Quantity::new(quantity.units() / u128::from(tokens));
        Ok(NewJob { requester: payer, paid: Some((self.message.id, tokens, fee_per_token)), ..job })
    }

    /// Sends the fee of a job that failed back to who paid it.
    pub(super) fn refund_held(&mut self, notice: &Id, reason: &str) -> Result<(), Fault> {
        let sql = "UPDATE payments SET recipient = payer, reason = ?2 WHERE notice = ?1 AND state = 'held'";
        if self.store.execute(sql, params![notice.to_string(), reason])? > 0 {
            self.send_payment(notice)?;
        }
        Ok(())
    }

    /// Sends the fee of a job to the worker that answered it.
    pub(super) fn pay_worker(&mut self, notice: &Id, worker: &Id) -> Result<(), Fault> {
        let sql = "UPDATE payments SET recipient = ?2 WHERE notice = ?1 AND state = 'held'";
        if self.store.execute(sql, params![notice.to_string(), worker.to_string()])? == 0 {
            return Ok(());
        }
        let fee = self.send_payment(notice)?;
        let sql = "SELECT earned FROM workers WHERE address = ?1";
        let earned = self.store.first(sql, [worker.to_string()], |row| parsed::<Quantity>(row, "earned"))?;
        let total = earned.and_then(|earned| earned.checked_add(fee)).unwrap_or(Quantity::MAX).to_string();
        self.store.execute("UPDATE workers SET earned = ?2 WHERE address = ?1", params![worker.to_string(), total])?;
        Ok(())
    }

    /// Sends a payment to its recipient and remembers the message, so that the token's answer finds it.
    fn send_payment(&mut self, notice: &Id) -> Result<Quantity, Fault> {
        let place = self.effects.messages.len() as u32;
        let transfer = Message::pushed_id(&self.env.process, self.message.slot, place);
        let sql = "UPDATE payments SET state = 'sent', transfer = ?2, attempts = attempts + 1, retry_ms = NULL
                   WHERE notice = ?1";
        self.store.execute(sql, params![notice.to_string(), transfer.to_string()])?;
        let sql = "SELECT recipient, quantity, reason FROM payments WHERE notice = ?1";
        let row = self.store.first(sql, [notice.to_string()], |row| {
            let reason: Option<String> = row.get("reason")?;
            Ok((parsed::<Id>(row, "recipient")?, parsed::<Quantity>(row, "quantity")?, reason))
        })?;
        let token = self.settings.token.ok_or(Fault::MissingTag("Token"))?;
        let missing = || Fault::NotFound { what: "payment", name: notice.to_string() };
        let (recipient, quantity, reason) = row.ok_or_else(missing)?;
        let message = Outgoing::new(token, "Transfer")
            .tag("Recipient", recipient)
            .tag("Quantity", quantity)
            .tag("Reference", transfer)
            .tag("Notify-Undeliverable", "true")
            .tag("X-Payment", notice);
        self.send(match reason {
            None => message,
            Some(reason) => message.tag("X-Refund", notice).tag("X-Error", shortened(&reason)),
        });
        Ok(quantity)
    }

    /// `Debit-Notice`: the token has carried out a payment.
    pub(super) fn debit_notice(&mut self) -> Result<(), Fault> {
        let token = self.settings.token.unwrap_or_default();
        only(self.message, &token, "the configured token", "Debit-Notice")?;
        let payment = self.message.tag("X-Payment").unwrap_or_default();
        let sql = "UPDATE payments SET state = 'settled', retry_ms = NULL WHERE notice = ?1 AND state <> 'held'";
        let known = self.store.execute(sql, [payment])? > 0;
        self.say(if known { "settled" } else { "no payment of this herder" });
        Ok(())
    }

    /// `Transfer-Error`: the token has refused a payment. It is tried again later, a few times.
    pub(super) fn transfer_error(&mut self) -> Result<(), Fault> {
        let token = self.settings.token.unwrap_or_default();
        only(self.message, &token, "the configured token", "Transfer-Error")?;
        let transfer: Id = parsed_tag(self.message, "Message-Id")?;
        self.not_paid(&transfer)
    }

    /// `Undeliverable`: the node says that the token could not handle a payment, so that nothing of it happened, or that
    /// there is no such process. It is as if the token had refused.
    pub(super) fn undeliverable(&mut self) -> Result<(), Fault> {
        only(self.message, &self.env.node, "the node of this process", "Undeliverable")?;
        let transfer: Id = parsed_tag(self.message, "Reference")?;
        self.not_paid(&transfer)
    }

    fn not_paid(&mut self, transfer: &Id) -> Result<(), Fault> {
        let sql = "UPDATE payments SET state = 'failed', retry_ms = iif(attempts < ?2, ?3, NULL)
                   WHERE transfer = ?1 AND state = 'sent'";
        let retry_ms = self.table_time_ms() + PAYMENT_RETRY_MS;
        let known = self.store.execute(sql, params![transfer.to_string(), PAYMENT_ATTEMPTS_MAX, retry_ms])? > 0;
        self.say(if known { "the payment is tried again later" } else { "no payment of this herder" });
        Ok(())
    }

    /// `Retry-Payments`: the owner lets payments be sent again that the token refused as often as the clock tries.
    pub(super) fn retry_refused(&mut self) -> Result<(), Fault> {
        self.only_owner("Retry-Payments")?;
        let now_ms = self.table_time_ms();
        let again = self.store.execute("UPDATE payments SET retry_ms = ?1 WHERE state = 'failed'", [now_ms])?;
        self.retry_payments()?;
        self.say(format!("{again} payments are sent again"));
        Ok(())
    }

    /// Sends again what the token refused an hour ago.
    pub(super) fn retry_payments(&mut self) -> Result<(), Fault> {
        let sql = "SELECT notice FROM payments WHERE retry_ms <= ?1 ORDER BY retry_ms, notice LIMIT ?2";
        let due =
            self.store.all(sql, [self.table_time_ms(), RETRIES_PER_MESSAGE_MAX], |row| parsed::<Id>(row, "notice"))?;
        for notice in due {
            self.send_payment(&notice)?;
        }
        Ok(())
    }
}

/// A reason as it fits into a tag.
fn shortened(reason: &str) -> String {
    reason.chars().take(super::limits::ERROR_TEXT_BYTES_MAX).collect()
}
