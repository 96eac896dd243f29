//! The money of a world, checked after every message: supply, escrow backing, and the books of each pool.

use std::collections::BTreeMap;

use ao::Id;
use processes::benchmark::audit;

use super::World;

/// The balances of a token, read from its tables.
pub fn balances(world: &World, token: Id) -> BTreeMap<Id, u128> {
    let mut statement = world.connection(token).prepare_cached("SELECT account, quantity FROM balances").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(|row| row.unwrap())
        .map(|(account, quantity)| (account.parse().unwrap(), quantity.parse().unwrap()))
        .collect()
}

/// The balance of one account.
pub fn balance(world: &World, token: Id, account: Id) -> u128 {
    balances(world, token).get(&account).copied().unwrap_or_default()
}

/// What a token says its supply is.
pub fn supply(world: &World, token: Id) -> u128 {
    let supply: String = world.connection(token).query_row("SELECT supply FROM token", [], |row| row.get(0)).unwrap();
    supply.parse().unwrap()
}

/// Panics if the money of the world does not add up.
pub fn check(world: &World) {
    let tokens = world.processes_of("token");
    for token in &tokens {
        if has_tables(world, *token) {
            let total: u128 = balances(world, *token).values().sum();
            assert_eq!(total, supply(world, *token), "I1: the balances are not the supply");
        }
    }
    for benchmark in world.processes_of("benchmark") {
        if has_tables(world, benchmark) {
            for token in &tokens {
                check_escrow(world, benchmark, *token);
            }
        }
    }
}

/// I3, the books of each pool, and I2: what the token has for the benchmark is what the benchmark believes to have, but for
/// the notices that are still on their way.
fn check_escrow(world: &World, benchmark: Id, token: Id) {
    let mut books = world.tables(benchmark, |store| audit(store, &token)).expect("books");
    for pool in &books.pools {
        assert!(pool.balance(), "I3: the books of a pool do not balance: {pool:?}");
        assert_ne!(pool.paid_by_rule, Some(false), "I4: a pool did not pay by its rule: {pool:?}");
    }
    if world.env(benchmark).tags.get("Token") != Some(token.to_string().as_str()) {
        books.pools.clear(); // Pools hold the configured token only.
    }
    let (mut credited, mut debited) = (0, 0);
    for letter in world.unseen().values().filter(|letter| letter.from == token && letter.target == benchmark) {
        let quantity: u128 = letter.tag("Quantity").and_then(|text| text.parse().ok()).unwrap_or_default();
        match letter.action() {
            "Credit-Notice" => credited += quantity,
            "Debit-Notice" => debited += quantity,
            _ => {}
        }
    }
    let cast = world.cast.get(&(token, benchmark)).copied().unwrap_or_default();
    let backing = books.backing().expect("a sum that fits").units();
    let balance = balance(world, token, benchmark);
    assert_eq!(balance + debited, backing + cast + credited, "I2: the escrow is not backed: {books:?}");
}

fn has_tables(world: &World, process: Id) -> bool {
    let tables: i64 =
        world.connection(process).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    tables > 0
}
