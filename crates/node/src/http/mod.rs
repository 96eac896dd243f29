//! The HTTP face of the node: one port for AO's units, the gateway, inboxes, operations and pages. Wire formats and the
//! mapping of errors live here and nowhere else.

mod arweave;
mod body;
mod compute_unit;
mod cursor;
pub(crate) mod error;
pub(crate) mod extract;
mod gateway;
mod graphql;
mod hyperbeam;
mod inbox;
pub(crate) mod limits;
mod memory;
mod message_unit;
mod operations;
mod parts;
mod published;
mod range;
mod request_id;
mod scheduler_unit;
mod server;
pub(crate) mod state;
mod timed_stream;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::cors::CorsLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use self::error::{HttpError, quoted};
use self::state::Shared;
use crate::core::Core;
use crate::pages;

/// What a page may load: only what the node itself serves.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What someone who asked at a wrong address has to know.
pub(super) const ADDRESSES: &str = "MU_URL, CU_URL, GATEWAY_URL and URL of a client are the address of this node without \
                                    any path, such as http://localhost:4000";

/// How long the index of transactions is worked on at a time, and how long the machine is left to others between.
const INDEX_WORK: Duration = Duration::from_millis(100);
const INDEX_PAUSE: Duration = Duration::from_secs(1);

/// How long the log has to be at rest before the index follows it, and after which time it does so anyway.
const INDEX_QUIET: Duration = Duration::from_millis(250);
const INDEX_BEHIND: Duration = Duration::from_secs(5);

/// Answers requests until `shutdown` is done, then lets those in progress finish. `stopping` ends those that wait.
pub(crate) async fn serve(
    listener: TcpListener,
    core: Arc<Core>,
    stopping: watch::Receiver<bool>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let indexing = tokio::spawn(index(Arc::clone(&core), stopping.clone()));
    server::serve(listener, router(Shared::new(core, stopping)), shutdown).await;
    indexing.abort();
    Ok(())
}

/// Enters what comes into the index of transactions, at leisure: a query that needs it sooner does so itself.
async fn index(core: Arc<Core>, mut stopping: watch::Receiver<bool>) {
    let mut commits = core.commits();
    while commits.changed().await.is_ok() {
        let busy = async { while let Ok(Ok(())) = tokio::time::timeout(INDEX_QUIET, commits.changed()).await {} };
        tokio::select! {
            _ = tokio::time::timeout(INDEX_BEHIND, busy) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let core = Arc::clone(&core);
        let work = tokio::task::spawn_blocking(move || core.index_transactions(INDEX_WORK));
        if work.await.is_ok_and(|done| !done) {
            commits.mark_changed();
        }
        tokio::select! {
            () = tokio::time::sleep(INDEX_PAUSE) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(operations::home).post(message_unit::post))
        .route("/monitor/{process}", post(message_unit::monitor).delete(message_unit::unmonitor))
        .route("/result/{message}", get(compute_unit::result))
        .route("/results/{process}", get(compute_unit::results))
        .route("/cron/{process}", get(compute_unit::ticks))
        .route("/state/{process}", get(memory::state))
        .route("/dry-run", post(compute_unit::dry_run))
        .route("/timestamp", get(scheduler_unit::timestamp))
        .route("/processes/{process}", get(scheduler_unit::process))
        .route("/tx", post(gateway::upload))
        .route("/tx/{id}", get(gateway::header).post(gateway::upload))
        .route("/tx/{id}/status", get(gateway::status))
        .route("/v1/tx", post(gateway::upload))
        .route("/v1/tx/{token}", post(gateway::upload))
        .route("/v1/chunks/{token}/{id}/{part}", get(parts::begin_or_status).post(parts::put_or_finalize))
        .route("/v1/price/bytes/{bytes}", get(arweave::turbo_price))
        .route("/v1/info", get(arweave::information))
        .route("/info", get(arweave::information))
        .route("/block/current", get(arweave::current_block))
        .route("/block/height/{height}", get(arweave::block_at))
        .route("/block/hash/{id}", get(arweave::block_of))
        .route("/tx_anchor", get(arweave::anchor))
        .route("/price/{bytes}", get(arweave::price))
        .route("/price/{bytes}/{target}", get(arweave::price_to))
        .route("/raw/{id}", get(gateway::data))
        .route("/models", get(gateway::models))
        .route("/graphql", post(graphql::query))
        .route("/inbox/{address}", get(inbox::inbox))
        .route("/healthz", get(operations::health))
        .route("/metrics", get(operations::metrics))
        .route("/processes", get(operations::processes))
        .route("/genesis", get(operations::genesis))
        .route("/~meta@1.0/info", get(hyperbeam::information))
        .route("/~meta@1.0/info/address", get(operations::address))
        .route("/push", post(hyperbeam::push))
        .route("/push/{message}/{number}", post(message_unit::push_again))
        .merge(pages::routes())
        .route("/{id}", get(gateway::data))
        .route("/{id}/latest", get(scheduler_unit::latest))
        .route("/{id}/{*path}", any(hyperbeam::of_process))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_that_way)
        .layer(header("content-security-policy", CONTENT_SECURITY_POLICY))
        .layer(header("x-content-type-options", "nosniff"))
        .layer(header("referrer-policy", "no-referrer"))
        // Everything here is public or signed, and there are no cookies: any page may ask.
        .layer(CorsLayer::permissive())
        .layer(middleware::from_fn(request_id::number))
        .with_state(shared)
}

fn header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

async fn nothing_here(uri: Uri) -> Response {
    nothing_at(uri.path()).into_response()
}

/// The error of a path that means nothing here.
fn nothing_at(path: &str) -> HttpError {
    HttpError::not_found(format!("there is nothing at '{}' on this node; {ADDRESSES}", quoted(path)))
}

async fn not_that_way(method: Method, uri: Uri) -> Response {
    let text = format!("'{}' does not answer to {method}; {ADDRESSES}", quoted(uri.path()));
    HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", text).into_response()
}
