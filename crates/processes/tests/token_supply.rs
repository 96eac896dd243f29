//! The supply of a token under any sequence of messages: it is the sum of the balances, and only the owner's Mint and a
//! holder's Burn change it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use std::collections::BTreeMap;

use ao::Id;
use harness::money::{balances, supply};
use harness::{World, wallet};
use proptest::prelude::*;

const PEOPLE: [&str; 4] = ["owner", "alice", "bob", "mallory"];

#[derive(Debug, Clone)]
enum Request {
    Transfer { from: usize, to: usize, quantity: u128, cast: bool },
    Mint { from: usize, to: usize, quantity: u128 },
    Burn { from: usize, quantity: u128 },
    Nonsense { from: usize, action: String, quantity: String },
}

fn quantity() -> impl Strategy<Value = u128> {
    prop_oneof![0..2_000_u128, Just(u128::MAX), Just(u128::MAX - 1_000), any::<u128>()]
}

fn request() -> impl Strategy<Value = Request> {
    let person = || 0..PEOPLE.len();
    prop_oneof![
        6 => (person(), person(), quantity(), any::<bool>())
            .prop_map(|(from, to, quantity, cast)| Request::Transfer { from, to, quantity, cast }),
        2 => (person(), person(), quantity()).prop_map(|(from, to, quantity)| Request::Mint { from, to, quantity }),
        1 => (person(), quantity()).prop_map(|(from, quantity)| Request::Burn { from, quantity }),
        1 => (person(), "Transfer|Mint|Burn|Credit-Notice|[a-z]{0,8}", "[-+ a-fx.][0-9]{0,4}")
            .prop_map(|(from, action, quantity)| Request::Nonsense { from, action, quantity }),
    ]
}

/// The ledger as a page of arithmetic: what the token must agree with.
#[derive(Default)]
struct Model {
    balances: BTreeMap<Id, u128>,
    supply: u128,
}

impl Model {
    fn take(&mut self, account: Id, quantity: u128) -> bool {
        let balance = self.balances.entry(account).or_default();
        let enough = quantity > 0 && *balance >= quantity;
        if enough {
            *balance -= quantity;
        }
        enough
    }

    fn apply(&mut self, request: &Request) {
        match request {
            Request::Transfer { from, to, quantity, .. } if self.take(wallet(PEOPLE[*from]), *quantity) => {
                *self.balances.entry(wallet(PEOPLE[*to])).or_default() += quantity;
            }
            Request::Mint { from: 0, to, quantity } if self.supply.checked_add(*quantity).is_some() => {
                self.supply += quantity;
                *self.balances.entry(wallet(PEOPLE[*to])).or_default() += quantity;
            }
            Request::Burn { from, quantity } if self.take(wallet(PEOPLE[*from]), *quantity) => self.supply -= quantity,
            _ => {}
        }
        self.balances.retain(|_, balance| *balance > 0);
    }
}

fn send(world: &mut World, token: Id, request: &Request) {
    let text = |place: &usize| wallet(PEOPLE[*place]).to_string();
    let (from, action, to, quantity, cast) = match request {
        Request::Transfer { from, to, quantity, cast } => (from, "Transfer", text(to), quantity.to_string(), *cast),
        Request::Mint { from, to, quantity } => (from, "Mint", text(to), quantity.to_string(), false),
        Request::Burn { from, quantity } => (from, "Burn", String::new(), quantity.to_string(), false),
        Request::Nonsense { from, action, quantity } => (from, action.as_str(), String::new(), quantity.clone(), false),
    };
    let mut pairs = vec![("Action", action), ("Quantity", quantity.as_str())];
    pairs.extend((!to.is_empty()).then_some(("Recipient", to.as_str())));
    pairs.extend(cast.then_some(("Cast", "true")));
    let _outcome = world.send(wallet(PEOPLE[*from]), token, &pairs, "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_token_keeps_its_supply(requests in prop::collection::vec(request(), 1..40)) {
        let mut world = World::new();
        let alice = wallet("alice");
        let token = world.spawn("token", wallet("owner"), &[], &format!(r#"{{"{alice}":"1000"}}"#));
        let mut model = Model { balances: BTreeMap::from([(alice, 1000)]), supply: 1000 };
        for request in &requests {
            model.apply(request);
            send(&mut world, token, request);
            prop_assert_eq!(&balances(&world, token), &model.balances, "after {:?}", request);
            prop_assert_eq!(supply(&world, token), model.supply);
        }
    }
}

#[test]
fn what_a_client_fills_in_as_data_is_no_balance() {
    let mut world = World::new();
    // aoconnect in both modes, and `Spawn` of aos, where no data is given.
    for data in [" ", "1984", "NODATA"] {
        let token = world.spawn("token", wallet("owner"), &[("Name", "T"), ("Denomination", "0")], data);
        assert_eq!(supply(&world, token), 0, "{data:?}");
    }
    let refused = world.try_spawn("token", wallet("owner"), &[("Name", "T")], "2000").unwrap_err();
    assert!(refused.contains("a map from address to quantity"), "{refused}");
}
