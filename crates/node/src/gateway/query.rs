//! Queries for transactions: which, in which order, and after which.

use std::fmt::Write as _;

use ao::{Id, Tag, Tags};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::GatewayError;
use super::transactions::{Held, Transaction, Transactions};

/// A tag that at most so many transactions have is looked up first; with a more common one, walking through time finds
/// enough of them soon.
const RARE: usize = 2000;

/// What a tag must be, or must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagFilter {
    /// Its name, exactly.
    pub name: String,
    /// Its value is one of these.
    pub values: Vec<String>,
    /// No tag of the name has one of the values.
    pub negated: bool,
}

/// A place in a list of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// The entry.
    pub entry: i64,
}

/// Which transactions are asked for. An absent filter lets all pass; an empty one none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// These only.
    pub ids: Option<Vec<Id>>,
    /// Signed by one of these.
    pub owners: Option<Vec<Id>>,
    /// For one of these.
    pub recipients: Option<Vec<Id>>,
    /// All of these hold.
    pub tags: Vec<TagFilter>,
    /// From this block on.
    pub height_min: Option<u64>,
    /// Up to this block.
    pub height_max: Option<u64>,
    /// The oldest first.
    pub ascending: bool,
    /// Only what follows this place in the order.
    pub after: Option<Position>,
    /// At most so many.
    pub limit: usize,
}

/// SQL with the values of its parameters.
#[derive(Default)]
struct Statement {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Transactions {
    /// The transactions that a query asks for, each with its place.
    pub(crate) fn find(&self, query: &Query) -> Result<Vec<(Position, Transaction)>, GatewayError> {
        self.read(|connection| {
            let statement = Statement::of(connection, query)?;
            let order = if query.ascending { "ASC" } else { "DESC" };
            let sql = format!(
                "SELECT entry, id, owner, recipient, time_ms, height, size, process, slot FROM transactions
                 WHERE {} ORDER BY time_ms {order}, entry {order} LIMIT {}",
                statement.conditions.join(" AND "),
                query.limit
            );
            let mut found = connection.prepare(&sql)?;
            let rows = found.query_map(params_from_iter(&statement.values), transaction)?;
            let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            for (position, transaction) in &mut rows {
                transaction.tags = tags(connection, position.entry)?;
            }
            Ok(rows)
        })
    }

    /// The transaction with an id.
    pub(crate) fn transaction(&self, id: &Id) -> Result<Option<Transaction>, GatewayError> {
        let query = Query { ids: Some(vec![*id]), limit: 1, ..Query::default() };
        Ok(self.find(&query)?.pop().map(|(_, transaction)| transaction))
    }
}

impl Statement {
    fn of(connection: &Connection, query: &Query) -> rusqlite::Result<Self> {
        let mut statement = Self::default();
        statement.conditions.push("1".to_owned());
        for (column, ids) in [("id", &query.ids), ("owner", &query.owners), ("recipient", &query.recipients)] {
            if let Some(ids) = ids {
                let ids = ids.iter().map(|id| Value::Blob(id.as_bytes().to_vec()));
                let list = statement.list(ids);
                statement.conditions.push(format!("{column} IN ({list})"));
            }
        }
        for (comparison, height) in [(">=", query.height_min), ("<=", query.height_max)] {
            if let Some(height) = height {
                let height = statement.value(number(height));
                statement.conditions.push(format!("height {comparison} {height}"));
            }
        }
        if let Some(Position { time_ms, entry }) = query.after {
            let (time_ms, entry) = (statement.value(number(time_ms)), statement.value(Value::Integer(entry)));
            let comparison = if query.ascending { '>' } else { '<' };
            statement.conditions.push(format!("(time_ms, entry) {comparison} ({time_ms}, {entry})"));
        }
        for filter in &query.tags {
            statement.filter(connection, filter)?;
        }
        Ok(statement)
    }

    /// A filter by tag: by the index of tags if few have it, else by looking at each transaction in turn.
    fn filter(&mut self, connection: &Connection, filter: &TagFilter) -> rusqlite::Result<()> {
        let is_rare = !filter.negated && count(connection, filter)? <= RARE;
        let name = self.value(Value::Text(filter.name.clone()));
        let values = self.list(filter.values.iter().cloned().map(Value::Text));
        let matches = format!("tags.name = {name} AND tags.value IN ({values})");
        self.conditions.push(if is_rare {
            format!("entry IN (SELECT entry FROM tags WHERE {matches})")
        } else {
            let not = if filter.negated { "NOT " } else { "" };
            format!("{not}EXISTS (SELECT 1 FROM tags WHERE tags.entry = transactions.entry AND +{matches})")
        });
        Ok(())
    }

    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn list(&mut self, values: impl Iterator<Item = Value>) -> String {
        let mut list = String::new();
        for value in values {
            let value = self.value(value);
            // Writing to a text does not fail.
            let _ = write!(list, "{}{value}", if list.is_empty() { "" } else { ", " });
        }
        list
    }
}

/// How many transactions a filter lets pass, counted no further than is needed.
fn count(connection: &Connection, filter: &TagFilter) -> rusqlite::Result<usize> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM tags WHERE name = ?1 AND value = ?2 LIMIT ?3)";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = RARE as i64 + 1;
    filter.values.iter().try_fold(0, |sum, value| {
        let count: usize = statement.query_row((&filter.name, value, limit), |row| row.get(0))?;
        Ok(sum + count)
    })
}

fn transaction(row: &Row<'_>) -> rusqlite::Result<(Position, Transaction)> {
    let process: Option<[u8; 32]> = row.get(7)?;
    let slot: Option<u64> = row.get(8)?;
    let transaction = Transaction {
        id: Id::new(row.get(1)?),
        owner: Id::new(row.get(2)?),
        recipient: row.get::<_, Option<[u8; 32]>>(3)?.map(Id::new),
        tags: Tags::new(),
        time_ms: row.get(4)?,
        height: row.get(5)?,
        size: row.get(6)?,
        held: match (process, slot) {
            (Some(process), Some(slot)) => Held::Slot(Id::new(process), slot),
            (Some(bundle), None) => Held::Bundle(Id::new(bundle)),
            (None, _) => Held::Elsewhere,
        },
    };
    Ok((Position { time_ms: transaction.time_ms, entry: row.get(0)? }, transaction))
}

fn tags(connection: &Connection, entry: i64) -> rusqlite::Result<Tags> {
    let mut statement = connection.prepare_cached("SELECT name, value FROM tags WHERE entry = ? ORDER BY position")?;
    let tags = statement.query_map([entry], |row| Ok(Tag { name: row.get(0)?, value: row.get(1)? }))?;
    tags.collect()
}

/// SQLite counts to 2^63: no transaction is beyond.
fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::transactions::Source;
    use super::*;

    fn store() -> (tempfile::TempDir, Transactions) {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Transactions::open(&folder.path().join("transactions.sqlite")).unwrap();
        let transaction = |number: u8| Transaction {
            id: Id::new([number; 32]),
            owner: Id::new([number % 2; 32]),
            recipient: (number > 4).then(|| Id::new([9; 32])),
            tags: Tags::new()
                .with("Type", if number == 3 { "Process" } else { "Message" })
                .with("Number", number.to_string()),
            // Two at each time: the entry decides between them.
            time_ms: u64::from(number / 2),
            height: u64::from(number),
            size: 1,
            held: Held::Elsewhere,
        };
        let all: Vec<Transaction> = (1..=6).map(transaction).collect();
        store.enter(Source::Uploads, &all, 6).unwrap();
        (folder, store)
    }

    fn numbers(store: &Transactions, query: Query) -> Vec<u8> {
        store.find(&query).unwrap().iter().map(|(_, found)| found.id.as_bytes()[0]).collect()
    }

    fn filter(name: &str, values: &[&str], negated: bool) -> TagFilter {
        TagFilter { name: name.to_owned(), values: values.iter().map(ToString::to_string).collect(), negated }
    }

    #[test]
    fn each_filter_narrows_what_is_found() {
        let (_folder, store) = store();
        let all = || Query { limit: 10, ..Query::default() };
        let id = |number: u8| Some(vec![Id::new([number; 32])]);
        for (query, expected) in [
            (all(), vec![6, 5, 4, 3, 2, 1]),
            (Query { ascending: true, ..all() }, vec![1, 2, 3, 4, 5, 6]),
            (Query { ids: id(3), ..all() }, vec![3]),
            (Query { ids: Some(Vec::new()), ..all() }, vec![]),
            (Query { owners: id(0), ..all() }, vec![6, 4, 2]),
            (Query { recipients: id(9), ..all() }, vec![6, 5]),
            (Query { height_min: Some(2), height_max: Some(3), ..all() }, vec![3, 2]),
            (Query { tags: vec![filter("Type", &["Process"], false)], ..all() }, vec![3]),
            (Query { tags: vec![filter("Type", &["Message"], true)], ..all() }, vec![3]),
            (Query { tags: vec![filter("Number", &["2", "5"], false)], ..all() }, vec![5, 2]),
            (Query { tags: vec![filter("number", &["2"], false)], ..all() }, vec![]),
        ] {
            assert_eq!(numbers(&store, query.clone()), expected, "{query:?}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gaps_in_both_orders() {
        let (_folder, store) = store();
        for (ascending, expected) in [(true, [1, 2, 3, 4, 5, 6]), (false, [6, 5, 4, 3, 2, 1])] {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let query = Query { ascending, after, limit: 2, ..Query::default() };
                let page = store.find(&query).unwrap();
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                seen.extend(page.iter().map(|(_, found)| found.id.as_bytes()[0]));
            }
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn what_is_entered_twice_is_there_once() {
        let (_folder, store) = store();
        let (_, again) =
            store.find(&Query { ids: Some(vec![Id::new([1; 32])]), limit: 1, ..Query::default() }).unwrap()[0].clone();
        assert_eq!(again.tags.get("Number"), Some("1"));
        store.enter(Source::Uploads, &[again], 7).unwrap();
        assert_eq!(numbers(&store, Query { limit: 10, ..Query::default() }).len(), 6);
        assert_eq!(
            (store.next(Source::Uploads).unwrap(), store.next(Source::Process(Id::new([1; 32]))).unwrap()),
            (7, 0)
        );
    }
}
