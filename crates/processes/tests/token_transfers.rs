//! The token from the side of those who use it: transfers, notices, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use ao::Id;
use harness::money::{balance, balances, supply};
use harness::{Outcome, World, wallet};

const SUPPLY: &str = "1000";

/// A token whose whole supply is Alice's.
fn token(world: &mut World) -> Id {
    let alice = wallet("alice");
    let pairs = [("Name", "Wrapped AR"), ("Ticker", "wAR")];
    world.spawn("token", wallet("owner"), &pairs, &format!(r#"{{"{alice}":"{SUPPLY}"}}"#))
}

fn transfer(world: &mut World, token: Id, from: &str, to: &str, quantity: &str) -> Outcome {
    let recipient = wallet(to).to_string();
    let pairs = [("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", quantity), ("X-Memo", "rent")];
    world.send(wallet(from), token, &pairs, "")
}

#[test]
fn a_transfer_tells_both_sides_and_forwards_only_x_tags() {
    let mut world = World::new();
    let token = token(&mut world);
    let bob = wallet("bob").to_string();
    let pairs =
        [("Action", "Transfer"), ("Recipient", bob.as_str()), ("Quantity", "10"), ("x-Memo", "rent"), ("Note", "mine")];
    let effects = world.send(wallet("alice"), token, &pairs, "").unwrap();
    assert_eq!(effects.messages[0].action(), "Debit-Notice");
    assert_eq!(effects.messages[1].action(), "Credit-Notice");

    let credit = world.newest(wallet("bob"), "Credit-Notice").unwrap();
    assert_eq!(credit.from, token);
    assert_eq!(credit.tag("Sender"), Some(wallet("alice").to_string().as_str()));
    assert_eq!(credit.tag("Quantity"), Some("10"));
    assert_eq!(credit.tag("X-Memo"), Some("rent"));
    assert_eq!(credit.tag("Note"), None);
    let debit = world.newest(wallet("alice"), "Debit-Notice").unwrap();
    assert_eq!(debit.tag("Recipient"), Some(bob.as_str()));
    assert_eq!(debit.tag("X-Memo"), Some("rent"));
    assert_eq!((balance(&world, token, wallet("alice")), balance(&world, token, wallet("bob"))), (990, 10));
}

#[test]
fn cast_moves_money_in_silence() {
    let mut world = World::new();
    let token = token(&mut world);
    let bob = wallet("bob").to_string();
    let pairs = [("Action", "Transfer"), ("Recipient", bob.as_str()), ("Quantity", "10"), ("Cast", "true")];
    assert!(world.send(wallet("alice"), token, &pairs, "").unwrap().messages.is_empty());
    assert_eq!(balance(&world, token, wallet("bob")), 10);
}

#[test]
fn a_reference_comes_back_on_the_debit_notice() {
    let mut world = World::new();
    let token = token(&mut world);
    let bob = wallet("bob").to_string();
    let pairs = [("Action", "Transfer"), ("Recipient", bob.as_str()), ("Quantity", "10"), ("Reference", "77")];
    world.send(wallet("alice"), token, &pairs, "").unwrap();
    assert_eq!(world.newest(wallet("alice"), "Debit-Notice").unwrap().tag("X-Reference"), Some("77"));
    assert_eq!(world.newest(wallet("bob"), "Credit-Notice").unwrap().tag("X-Reference"), None);
}

#[test]
fn who_has_too_little_is_told_and_nothing_moves() {
    let mut world = World::new();
    let token = token(&mut world);
    for (from, quantity) in [("alice", "1001"), ("bob", "1"), ("alice", "340282366920938463463374607431768211455")] {
        let effects = transfer(&mut world, token, from, "carol", quantity).unwrap();
        assert_eq!(effects.output.error.as_deref(), Some("Insufficient Balance!"));
        let error = world.newest(wallet(from), "Transfer-Error").unwrap();
        assert_eq!(error.tag("Error"), Some("Insufficient Balance!"));
        assert_eq!(error.tag("Message-Id").map(str::len), Some(43));
    }
    assert_eq!(balances(&world, token).len(), 1);
}

#[test]
fn a_transfer_to_oneself_changes_nothing() {
    let mut world = World::new();
    let token = token(&mut world);
    transfer(&mut world, token, "alice", "alice", SUPPLY).unwrap();
    assert_eq!(balance(&world, token, wallet("alice")), 1000);
}

#[test]
fn what_is_no_quantity_is_refused_and_nothing_moves() {
    let mut world = World::new();
    let token = token(&mut world);
    let long = "9".repeat(100_000);
    for quantity in
        ["", "0", "-5", "+5", " 7", "7 ", "1e3", "0x10", "1.5", "007", "٣", "1_000", "NaN", "∞", long.as_str()]
    {
        let fault = transfer(&mut world, token, "alice", "bob", quantity).unwrap_err();
        assert!(fault.contains("Quantity") && fault.len() < 600, "{quantity:.20}: {fault}");
    }
    for recipient in
        ["", "bob", "../../wallet.json", "xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh11", "'; DROP TABLE balances"]
    {
        let pairs = [("Action", "Transfer"), ("Recipient", recipient), ("Quantity", "5")];
        let fault = world.send(wallet("alice"), token, &pairs, "").unwrap_err();
        assert!(fault.contains("Recipient"), "{recipient}: {fault}");
    }
    let missing = world.send(wallet("alice"), token, &[("Action", "Transfer"), ("Quantity", "5")], "").unwrap_err();
    assert_eq!(missing, "the tag 'Recipient' is missing");
    assert_eq!(balance(&world, token, wallet("alice")), 1000);
}

#[test]
fn an_unknown_action_is_named_with_those_there_are() {
    let mut world = World::new();
    let token = token(&mut world);
    let fault = world.send(wallet("alice"), token, &[("Action", "Steal")], "").unwrap_err();
    assert_eq!(
        fault,
        "this process has no action 'Steal'; it has Info, Balance, Balances, Total-Supply, Transfer, Mint and Burn"
    );
}

#[test]
fn only_the_owner_mints_and_the_supply_has_an_end() {
    let mut world = World::new();
    let token = token(&mut world);
    let mint = |world: &mut World, from: &str, to: &str, quantity: &str| {
        let recipient = wallet(to).to_string();
        let pairs = [("Action", "Mint"), ("Recipient", recipient.as_str()), ("Quantity", quantity)];
        world.send(wallet(from), token, &pairs, "").unwrap()
    };
    assert!(mint(&mut world, "alice", "alice", "5").output.error.unwrap().starts_with("Only the owner"));
    assert_eq!(world.newest(wallet("alice"), "Mint-Error").unwrap().tag("Message-Id").map(str::len), Some(43));
    assert_eq!(supply(&world, token), 1000);

    assert_eq!(mint(&mut world, "owner", "bob", "5").output.error, None);
    assert_eq!(world.newest(wallet("bob"), "Credit-Notice").unwrap().tag("Quantity"), Some("5"));
    assert_eq!((supply(&world, token), balance(&world, token, wallet("bob"))), (1005, 5));

    let over = mint(&mut world, "owner", "owner", &(u128::MAX - 1004).to_string());
    assert!(over.output.error.unwrap().contains("2^128 - 1"));
    assert_eq!(mint(&mut world, "owner", "owner", &(u128::MAX - 1005).to_string()).output.error, None);
    assert_eq!(supply(&world, token), u128::MAX);
}

#[test]
fn whoever_burns_burns_his_own() {
    let mut world = World::new();
    let token = token(&mut world);
    let burn = |world: &mut World, from: &str, quantity: &str| {
        world.send(wallet(from), token, &[("Action", "Burn"), ("Quantity", quantity)], "").unwrap()
    };
    assert_eq!(burn(&mut world, "alice", "400").output.error, None);
    assert_eq!(burn(&mut world, "bob", "1").output.error.as_deref(), Some("Insufficient Balance!"));
    assert_eq!((supply(&world, token), balance(&world, token, wallet("alice"))), (600, 600));
}

#[test]
fn a_tag_that_claims_another_sender_changes_nothing() {
    let mut world = World::new();
    let token = token(&mut world);
    let alice = wallet("alice").to_string();
    let mallory = wallet("mallory").to_string();
    for name in ["From", "Owner", "From-Process", "Sender"] {
        let pairs =
            [("Action", "Transfer"), (name, alice.as_str()), ("Recipient", mallory.as_str()), ("Quantity", "10")];
        let effects = world.send(wallet("mallory"), token, &pairs, "").unwrap();
        assert_eq!(effects.output.error.as_deref(), Some("Insufficient Balance!"), "{name}");
    }
    assert_eq!(balance(&world, token, wallet("alice")), 1000);
}

#[test]
fn reads_answer_by_message_and_by_output() {
    let mut world = World::new();
    let token = token(&mut world);
    let bob = wallet("bob");
    let alice = wallet("alice").to_string();
    for (pairs, data) in [
        (vec![("Action", "Balance"), ("Recipient", alice.as_str())], "1000"),
        (vec![("Action", "Balance"), ("Target", alice.as_str())], "1000"),
        (vec![("Action", "Balance")], "0"),
        (vec![("Action", "Total-Supply")], "1000"),
        (
            vec![("Action", "Info")],
            r#"{"name":"Wrapped AR","ticker":"wAR","logo":"","denomination":12,"supply":"1000"}"#,
        ),
    ] {
        let effects = world.send(bob, token, &pairs, "").unwrap();
        assert_eq!(effects.output.data, data);
        assert_eq!(effects.messages[0].target, bob);
        assert_eq!(effects.messages[0].data, data.as_bytes());
    }
    let info = world.newest(bob, "Info-Response").unwrap();
    let named = |name| info.tag(name).unwrap();
    assert_eq!(
        (named("Name"), named("Ticker"), named("Denomination"), named("Supply")),
        ("Wrapped AR", "wAR", "12", "1000")
    );
    let balance = world.newest(bob, "Balance-Response").unwrap();
    assert_eq!(balance.tag("Ticker"), Some("wAR"));
}

#[test]
fn balances_come_in_pages() {
    let mut world = World::new();
    let accounts: Vec<String> = (0..2_500).map(|number| wallet(&format!("holder {number}")).to_string()).collect();
    let map: serde_json::Map<_, _> = accounts.iter().map(|account| (account.clone(), "3".into())).collect();
    let token = world.spawn("token", wallet("owner"), &[], &serde_json::Value::Object(map).to_string());
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut pairs = vec![("Action", "Balances")];
        pairs.extend(cursor.as_deref().map(|cursor| ("Cursor", cursor)));
        let effects = world.send(wallet("bob"), token, &pairs, "").unwrap();
        let page: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&effects.output.data).unwrap();
        assert!(page.len() <= 1000);
        seen.extend(page.into_iter().map(|(account, _)| account));
        cursor = effects.messages[0].tags.get("Cursor").map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let mut sorted = accounts;
    sorted.sort();
    assert_eq!(seen, sorted);
    for limit in ["0", "5001", "-1", "all"] {
        assert!(world.send(wallet("bob"), token, &[("Action", "Balances"), ("Limit", limit)], "").is_err(), "{limit}");
    }
}

#[test]
fn a_token_that_cannot_be_is_not_spawned() {
    let mut world = World::new();
    let alice = wallet("alice");
    let half = (u128::MAX / 2 + 1).to_string();
    let (twice, over) = (
        format!(r#"{{"{alice}":"1","{alice}":"2"}}"#),
        format!(r#"{{"{alice}":"{half}","{}":"{half}"}}"#, wallet("bob")),
    );
    for (data, reason) in [
        ("[]", "a map from address to quantity"),
        ("{", "EOF"),
        (r#"{"bob":"1"}"#, "43 characters"),
        (&format!(r#"{{"{alice}":1000}}"#), "expected a string"),
        (&format!(r#"{{"{alice}":"-1"}}"#), "decimal digits"),
        (twice.as_str(), "named twice"),
        (over.as_str(), "more than 2^128 - 1"),
    ] {
        let fault = world.try_spawn("token", wallet("owner"), &[], data).unwrap_err();
        assert!(fault.contains(reason), "{data}: {fault}");
    }
    assert!(world.try_spawn("token", wallet("owner"), &[("Denomination", "39")], "").is_err());
    assert!(world.try_spawn("token", wallet("owner"), &[("Denomination", "twelve")], "").is_err());
}
