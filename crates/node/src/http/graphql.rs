//! Queries for transactions in GraphQL, as Arweave's gateways answer them. Blocks are the node's own: it has no chain, so a
//! block is a height and a time.

use std::sync::LazyLock;

use ao::Id;
use ao::item::ItemHeader;
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Enum, ErrorExtensions as _, ID, InputObject, Lookahead, Object, Schema,
    SimpleObject,
};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::body;
use super::error::HttpError;
use super::limits::{
    INDEX_WAIT, LOOKUP_COMPLEXITY, QUERY_BYTES_MAX, QUERY_COMPLEXITY_MAX, QUERY_DEPTH_MAX, QUERY_FILTERS_MAX,
    SEARCH_COMPLEXITY, TRANSACTIONS_MAX,
};
use super::state::{Shared, one_more};
use crate::core::Core;
use crate::gateway::{
    GatewayError, Held, Position, Query as Wanted, TagFilter as WantedTag, Transaction as Found, block_id,
};

/// Transactions of a page if the query does not say (Arweave's number).
const FIRST_DEFAULT: i32 = 10;

type Gateway = Schema<Query, EmptyMutation, EmptySubscription>;

static SCHEMA: LazyLock<Gateway> = LazyLock::new(|| {
    Schema::build(Query, EmptyMutation, EmptySubscription)
        .limit_depth(QUERY_DEPTH_MAX)
        .limit_complexity(QUERY_COMPLEXITY_MAX)
        .finish()
});

/// `POST /graphql`: `{"query": …, "variables": …}`. What is wrong with a query stands in `errors` of a whole answer.
pub(crate) async fn query(
    State(shared): State<Shared>,
    request: Request<Body>,
) -> Result<Json<async_graphql::Response>, HttpError> {
    let _query = one_more(&shared.queries, "queries")?;
    let (parts, body) = request.into_parts();
    let bytes = body::whole(&shared, &parts.headers, body, QUERY_BYTES_MAX).await?;
    let request: async_graphql::Request = serde_json::from_slice(&bytes).map_err(|error| {
        HttpError::bad_request(
            "bad-query",
            format!("the body of a query is JSON with 'query' and 'variables': {error}"),
        )
    })?;
    if let Some(module) = module_of_spawn(&request) {
        let missing = move |core: &Core| {
            core.index_transactions(INDEX_WAIT);
            Ok::<_, GatewayError>(core.gateway().transactions().transaction(&module)?.is_none())
        };
        if shared.blocking(missing).await? {
            shared.core.check_module(&module.to_string())?;
        }
    }
    Ok(Json(SCHEMA.execute(request.data(shared)).await))
}

/// The module that aoconnect looks for before it spawns a process of it. If its query finds nothing it says "Required" and
/// no more; the text of an answer that is an error it shows, and there stands how to add a module.
fn module_of_spawn(request: &async_graphql::Request) -> Option<Id> {
    let asks =
        request.query.contains("query GetTransactions ($transactionIds: [ID!]!)") && request.variables.len() == 1;
    let ids = request.variables.get("transactionIds").filter(|_| asks)?;
    match ids {
        async_graphql::Value::List(ids) => match ids.as_slice() {
            [async_graphql::Value::String(id)] => id.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

struct Query;

#[Object]
impl Query {
    /// A transaction by its id.
    #[graphql(complexity = "LOOKUP_COMPLEXITY + child_complexity")]
    async fn transaction(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<Transaction>> {
        let wanted = Wanted { ids: Some(ids(&[id])), limit: 1, ..Wanted::default() };
        let page = page(context, wanted, signed_parts(&context.look_ahead())).await?;
        Ok(page.into_iter().next().map(|(_, transaction)| transaction))
    }

    /// Transactions in the order of their blocks.
    #[graphql(complexity = "SEARCH_COMPLEXITY + page_size(first) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of Arweave's gateways")]
    async fn transactions(
        &self,
        context: &Context<'_>,
        ids: Option<Vec<ID>>,
        owners: Option<Vec<String>>,
        recipients: Option<Vec<String>>,
        tags: Option<Vec<TagFilter>>,
        block: Option<BlockFilter>,
        #[graphql(default_with = "FIRST_DEFAULT")] first: i32,
        after: Option<String>,
        #[graphql(default)] sort: SortOrder,
    ) -> async_graphql::Result<TransactionConnection> {
        let texts = [&owners, &recipients].into_iter().flatten().map(Vec::len).sum::<usize>();
        let values = tags.iter().flatten().map(|tag| 1 + tag.values.len()).sum::<usize>();
        let filters = texts + values + ids.as_ref().map_or(0, Vec::len);
        if filters > QUERY_FILTERS_MAX {
            let text = format!("the query filters by {filters} values, and may by {QUERY_FILTERS_MAX}");
            return Err(async_graphql::Error::new(text));
        }
        let limit = page_size(first);
        let wanted = Wanted {
            ids: ids.as_deref().map(self::ids),
            owners: owners.as_deref().map(self::ids),
            recipients: recipients.as_deref().map(self::ids),
            tags: tags.into_iter().flatten().map(TagFilter::wanted).collect(),
            height_min: block.as_ref().and_then(|block| block.min),
            height_max: block.as_ref().and_then(|block| block.max),
            ascending: sort == SortOrder::HeightAsc,
            after: after.filter(|after| !after.is_empty()).map(|after| position(&after)).transpose()?,
            // One more, to know whether there is a next page.
            limit: limit + 1,
        };
        let parts = signed_parts(&context.look_ahead().field("edges").field("node"));
        let mut found = page(context, wanted, parts).await?;
        let has_next_page = found.len() > limit;
        found.truncate(limit);
        let edges =
            found.into_iter().map(|(position, node)| TransactionEdge { cursor: cursor(position), node }).collect();
        Ok(TransactionConnection { page_info: PageInfo { has_next_page }, edges })
    }
}

/// Reads a page on a thread for blocking work; `with_items` if what only the signed items hold is asked for.
async fn page(
    context: &Context<'_>,
    wanted: Wanted,
    with_items: bool,
) -> async_graphql::Result<Vec<(Position, Transaction)>> {
    let shared = context.data::<Shared>()?;
    let read = move |core: &Core| {
        core.index_transactions(INDEX_WAIT);
        let found = core.gateway().transactions().find(&wanted)?;
        let entry = |(position, found): (Position, Found)| {
            let header = if with_items { core.header_of(&found) } else { None };
            (position, Transaction::of(found, header))
        };
        Ok::<_, GatewayError>(found.into_iter().map(entry).collect())
    };
    shared.blocking(read).await.map_err(|error| error.extend())
}

/// Whether a query asks for what only signed items hold.
fn signed_parts(node: &Lookahead<'_>) -> bool {
    node.field("signature").exists() || node.field("anchor").exists() || node.field("owner").field("key").exists()
}

/// How many transactions a page has.
fn page_size(first: i32) -> usize {
    usize::try_from(first).unwrap_or(0).clamp(1, TRANSACTIONS_MAX)
}

/// What of these are ids. A text that is none is that of no transaction; aos sends an empty one.
fn ids(texts: &[impl AsRef<str>]) -> Vec<Id> {
    texts.iter().filter_map(|text| text.as_ref().parse().ok()).collect()
}

fn cursor(Position { time_ms, entry }: Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("{time_ms}.{entry}"))
}

fn position(cursor: &str) -> async_graphql::Result<Position> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let numbers = text.as_deref().and_then(|text| text.split_once('.'));
    let position = numbers
        .and_then(|(time_ms, entry)| Some(Position { time_ms: time_ms.parse().ok()?, entry: entry.parse().ok()? }));
    position.ok_or_else(|| async_graphql::Error::new("'after' is no cursor of this list"))
}

#[derive(InputObject)]
struct TagFilter {
    name: String,
    values: Vec<String>,
    #[graphql(default)]
    op: TagOperator,
}

impl TagFilter {
    fn wanted(self) -> WantedTag {
        WantedTag { name: self.name, values: self.values, negated: self.op == TagOperator::Neq }
    }
}

#[derive(Enum, Clone, Copy, Default, PartialEq, Eq)]
enum TagOperator {
    #[default]
    Eq,
    Neq,
}

#[derive(InputObject)]
struct BlockFilter {
    min: Option<u64>,
    max: Option<u64>,
}

#[derive(Enum, Clone, Copy, Default, PartialEq, Eq)]
enum SortOrder {
    HeightAsc,
    #[default]
    HeightDesc,
}

#[derive(SimpleObject)]
struct TransactionConnection {
    page_info: PageInfo,
    edges: Vec<TransactionEdge>,
}

#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: bool,
}

#[derive(SimpleObject)]
struct TransactionEdge {
    cursor: String,
    node: Transaction,
}

#[derive(SimpleObject)]
struct Transaction {
    id: ID,
    anchor: String,
    signature: String,
    recipient: String,
    owner: Owner,
    fee: Amount,
    quantity: Amount,
    data: MetaData,
    tags: Vec<Tag>,
    block: Block,
    parent: Option<Parent>,
    bundled_in: Option<Parent>,
}

#[derive(SimpleObject)]
struct Owner {
    address: String,
    key: String,
}

#[derive(SimpleObject)]
struct Amount {
    winston: &'static str,
    ar: &'static str,
}

#[derive(SimpleObject)]
struct MetaData {
    size: String,
    r#type: Option<String>,
}

#[derive(SimpleObject)]
struct Tag {
    name: String,
    value: String,
}

#[derive(SimpleObject)]
struct Block {
    id: ID,
    /// Seconds since 1970.
    timestamp: u64,
    height: u64,
    previous: ID,
}

#[derive(SimpleObject)]
struct Parent {
    id: ID,
}

/// Items carry no money.
const NOTHING: fn() -> Amount = || Amount { winston: "0", ar: "0.000000000000" };

impl Transaction {
    fn of(found: Found, header: Option<ItemHeader>) -> Self {
        let Found { id, owner, recipient, tags, time_ms, height, size, held } = found;
        let bundle =
            || if let Held::Bundle(bundle) = held { Some(Parent { id: ID(bundle.to_string()) }) } else { None };
        let encoded = |bytes: Option<&[u8]>| bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
        let header = header.as_ref();
        Self {
            id: ID(id.to_string()),
            anchor: encoded(header.and_then(ItemHeader::anchor)),
            signature: encoded(header.map(ItemHeader::signature)),
            recipient: recipient.map(|recipient| recipient.to_string()).unwrap_or_default(),
            owner: Owner { address: owner.to_string(), key: encoded(header.map(ItemHeader::owner)) },
            fee: NOTHING(),
            quantity: NOTHING(),
            data: MetaData { size: size.to_string(), r#type: tags.get("Content-Type").map(ToOwned::to_owned) },
            tags: tags.iter().map(|tag| Tag { name: tag.name.clone(), value: tag.value.clone() }).collect(),
            block: Block {
                id: ID(block_id(height).to_string()),
                timestamp: time_ms / 1000,
                height,
                previous: ID(block_id(height.saturating_sub(1)).to_string()),
            },
            parent: bundle(),
            bundled_in: bundle(),
        }
    }
}
