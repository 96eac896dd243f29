//! The page of a pool: its leaderboard as a table and as a picture, what runs, the rules in words, the money, and how to
//! join. The board alone comes again as an event whenever it changes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use ao::Id;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tasks::statistics::{share, wilson_of_points};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::ask::{action, ask, ask_if_it_can, named};
use super::board::{Funding, Line, Payout, Pool};
use super::competitor::Competitor;
use super::documents::SetLimits;
use super::face::{Caller, Form, html, read, rendered, show, text};
use super::format::{column, when};
use super::picture::{Plot, Spark, score};
use super::{card, rules, whole_board};
use crate::http::error::HttpError;
use crate::http::extract::{PathId, QueryOf};
use crate::http::state::{Shared, one_more};

/// Rows of a board on one page: with the picture it stays under 100 KB.
const ROWS_SHOWN: usize = 50;

/// How long after a change the next one is looked at: a board that changed ten times in a second is drawn once. It is longer
/// than an answer of a process holds in any case.
const EVENT_PAUSE: Duration = Duration::from_millis(700);

/// Which part of a board is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BoardQuery {
    #[serde(default)]
    from: u32,
}

/// Everything about a pool.
#[derive(Debug, Deserialize, Template)]
#[template(path = "pool.html")]
pub(super) struct PoolPage {
    pool: Pool,
    updated_ms: u64,
    #[serde(rename = "leaderboard")]
    lines: Vec<Line>,
    #[serde(default)]
    payouts: Vec<Payout>,
    #[serde(default)]
    fundings: Option<Vec<Funding>>,
    #[serde(default)]
    days: Option<BTreeMap<String, Vec<[u64; 4]>>>,
    #[serde(default)]
    from: u32,
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    now_ms: u64,
    #[serde(default)]
    origin: String,
    #[serde(default)]
    benchmark: Id,
}

/// The part of the page that changes while evaluations run.
#[derive(Template)]
#[template(path = "board.html")]
struct Board<'a> {
    page: &'a PoolPage,
}

impl PoolPage {
    fn board(&self) -> String {
        Board { page: self }.render().unwrap_or_default()
    }

    fn updated(&self) -> String {
        when(self.updated_ms)
    }

    fn plot(&self) -> String {
        let plot = Plot::of(&self.pool.title(), &self.lines, false);
        plot.and_then(|plot| plot.render().ok()).unwrap_or_default()
    }

    /// Whether payouts are still a forecast.
    fn is_running(&self) -> bool {
        self.payouts.is_empty() && self.pool.status != "Refunded"
    }

    fn is_live(&self) -> bool {
        !matches!(self.pool.status.as_str(), "Settled" | "Refunded")
    }

    /// Whether any model has a board of more than one day.
    fn has_days(&self) -> bool {
        self.days.iter().flatten().any(|(_, days)| days.len() > 1)
    }

    fn spark(&self, competitor: &Competitor) -> Option<Spark> {
        let all = self.days.as_ref()?;
        let possible = self.pool.points;
        let scores = || all.values().flatten().filter_map(|day| score(day, possible));
        let (low, high) = (scores().reduce(f64::min)?, scores().reduce(f64::max)?);
        Spark::of(all.get(&competitor.to_string())?, possible, low, high)
    }

    /// The rows, each with what it would be paid.
    fn rows(&self) -> Vec<(&Line, String)> {
        let ranked: Vec<&Line> = self.lines.iter().filter(|line| line.rank.is_some()).collect();
        let amounts: Vec<_> = ranked.iter().map(|line| line.payout_if_ended).collect();
        let mut amounts = column(&amounts, true).into_iter();
        let amount = |line: &Line| line.rank.and_then(|_| amounts.next()).unwrap_or_default();
        self.lines.iter().zip(self.lines.iter().map(amount).collect::<Vec<_>>()).collect()
    }

    /// Whether any entry may have another rank than it has.
    fn has_ranks(&self) -> bool {
        self.lines.iter().any(|line| line.ranks().is_some())
    }

    fn running(&self) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.is_running()).collect()
    }

    /// What stands in the line that is read aloud when the board changes.
    fn state(&self) -> String {
        let complete = self.lines.iter().filter(|line| !line.is_running()).count();
        format!("{complete} of {} entries evaluated", self.lines.len())
    }

    fn rules(&self) -> [String; 3] {
        [rules::allocation(&self.pool), rules::ties(&self.pool).to_owned(), rules::metric(&self.pool).to_owned()]
    }

    fn paid(&self) -> String {
        let paid = self.payouts.iter().filter(|payout| payout.status == "paid").count();
        format!("{paid} of {} paid", self.payouts.len())
    }

    fn funded(&self) -> String {
        let fundings = self.fundings.as_deref().unwrap_or_default();
        format!("{} in {} transfer{}", self.pool.funds(), fundings.len(), if fundings.len() == 1 { "" } else { "s" })
    }

    fn grace_end(&self) -> String {
        when(self.pool.grace_end)
    }

    fn previous(&self) -> Option<u32> {
        (self.from > 0).then(|| self.from.saturating_sub(ROWS_SHOWN as u32))
    }
}

/// `GET /pool/{pool}`, also as `.json`, `.csv` and `.svg`.
pub(crate) async fn pool(
    State(shared): State<Shared>,
    Path(asked): Path<String>,
    QueryOf(query): QueryOf<BoardQuery>,
    headers: HeaderMap,
) -> Response {
    let caller = Caller::of(&headers);
    caller.answer(page(&shared, &caller, &asked, query.from).await)
}

async fn page(shared: &Shared, caller: &Caller, asked: &str, from: u32) -> Result<Response, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    let (pool, form) = caller.id_and_form(asked)?;
    if form == Form::Csv {
        let csv = whole_board::csv(shared, pool).await?;
        return Ok(text("text/csv; charset=utf-8; header=present", "no-cache", csv));
    }
    let data = data(shared, pool, from, &caller.origin).await?;
    match form {
        Form::Html | Form::Json | Form::Csv => show::<PoolPage>(form, data),
        Form::Svg => {
            let page: PoolPage = read(data)?;
            let plot = Plot::of(&page.pool.title(), &page.lines, true);
            let plot = plot.ok_or_else(|| HttpError::not_found("no entry of this pool has a score yet"))?;
            Ok(text("image/svg+xml", "max-age=60", rendered(&plot)?))
        }
    }
}

/// All that is known of a pool.
pub(super) async fn data(shared: &Shared, pool: Id, from: u32, origin: &str) -> Result<Value, HttpError> {
    let benchmark = named(shared, "benchmark")?;
    let tags = action("Leaderboard").with("Limit", ROWS_SHOWN.to_string()).with("Cursor", from.to_string());
    let board = ask(shared, benchmark, tags, pool.to_string()).await?;
    let mut data = Value::clone(&board.data);
    let rows = data["leaderboard"].as_array_mut();
    // At once: a process that is at work lets each question wait, and all of them no longer than one.
    let (fundings, days, ()) = tokio::join!(
        ask_if_it_can(shared, benchmark, action("Get-Fundings"), pool.to_string()),
        ask_if_it_can(shared, benchmark, action("Get-Days"), pool.to_string()),
        follow(shared, pool, &board.data["pool"]["dataset"], rows.map(Vec::as_mut_slice).unwrap_or_default()),
    );
    let Value::Object(fields) = &mut data else { return Ok(data) };
    fields.insert("fundings".to_owned(), fundings);
    fields.insert("days".to_owned(), days);
    fields.insert("from".to_owned(), from.into());
    fields.insert("next".to_owned(), board.cursor.into());
    fields.insert("now_ms".to_owned(), shared.core.clock().now_ms().into());
    fields.insert("origin".to_owned(), origin.into());
    fields.insert("benchmark".to_owned(), json!(benchmark));
    Ok(data)
}

/// Rows of a board with what their dataset knows by now: the benchmark process hears of a score when it is complete.
pub(super) async fn follow(shared: &Shared, pool: Id, dataset: &Value, rows: &mut [Value]) {
    if rows.iter().any(|row| row["status"] == "Evaluating") {
        let dataset = dataset.as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        let tags = action("Progress").with("Pool", pool.to_string());
        let running = ask_if_it_can(shared, dataset, tags, String::new()).await;
        rows.iter_mut().for_each(|row| advance(row, &running));
    }
}

fn advance(row: &mut Value, running: &Value) {
    let of_model = |one: &&Value| one["model"] == row["model"];
    let Some(now) = running.as_array().and_then(|running| running.iter().find(of_model)) else { return };
    let count = |name: &str| now[name].as_u64().unwrap_or_default();
    let (correct, answered, total) = (count("correct"), count("answered"), count("total"));
    let points = row["points"].as_u64().unwrap_or(1).max(1);
    let (low, high) = wilson_of_points(correct, points, answered);
    for (name, value) in [
        ("correct", json!(correct)),
        ("answered", json!(answered)),
        ("unparsed", json!(count("unparsed"))),
        ("total", json!(total)),
        ("score", json!(share(correct, answered * points))),
        ("interval", json!([low, high])),
        ("progress", json!(share(answered, total))),
    ] {
        row[name] = value;
    }
}

/// `GET /pool/{pool}/events`: the board as HTML, whenever it has changed.
pub(crate) async fn events(
    State(shared): State<Shared>,
    PathId(pool): PathId,
    QueryOf(query): QueryOf<BoardQuery>,
) -> Result<Response, HttpError> {
    let waiting = one_more(&shared.waiting, "waiting requests")?;
    // A pool that there is not is an error now, and not an empty stream.
    let first = board_now(&shared, pool, query.from).await?;
    let progress = shared.core.progress();
    let begin = Watched { shared, progress, board: first, shown: String::new(), is_settled: false, _waiting: waiting };
    let events = stream::unfold(begin, move |mut watched| async move {
        while watched.board == watched.shown {
            watched.pause().await?;
            watched.board = board_now(&watched.shared, pool, query.from).await.ok()?;
        }
        watched.shown.clone_from(&watched.board);
        let event = Event::default().event("board").data(watched.board.replace('\r', " "));
        Some((Ok::<_, Infallible>(event), watched))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// A board that somebody watches.
struct Watched {
    shared: Shared,
    progress: watch::Receiver<u64>,
    /// As it is now, and as it was shown last.
    board: String,
    shown: String,
    /// Whether everything that happened is seen.
    is_settled: bool,
    _waiting: OwnedSemaphorePermit,
}

impl Watched {
    /// Waits until it is time to look again; nothing if the node stops. What changed during the pause may not be seen yet, because
    /// another reader was given the board just before: then it is looked at once more.
    async fn pause(&mut self) -> Option<()> {
        if self.is_settled {
            self.shared.unless_stopping(self.progress.changed()).await?.ok()?;
        }
        self.shared.unless_stopping(tokio::time::sleep(EVENT_PAUSE)).await?;
        self.is_settled = !self.progress.has_changed().ok()?;
        self.progress.mark_unchanged();
        Some(())
    }
}

async fn board_now(shared: &Shared, pool: Id, from: u32) -> Result<String, HttpError> {
    let page: PoolPage = read(data(shared, pool, from, "").await?)?;
    Ok(page.board())
}

/// What is shown small on another site.
#[derive(Template)]
#[template(path = "badge.svg")]
pub(super) struct Badge {
    label: String,
    value: String,
    label_width: usize,
    width: usize,
}

impl Badge {
    /// A label and a value; the widths are those of a usual face at 11 pixels.
    pub(super) fn new(label: &str, value: &str) -> Self {
        let width = |text: &str| text.chars().count() * 7 + 12;
        let (label_width, value_width) = (width(label), width(value));
        Self { label: label.to_owned(), value: value.to_owned(), label_width, width: label_width + value_width }
    }
}

/// `GET /pool/{pool}/badge.svg`: the leader of a pool.
pub(crate) async fn badge(State(shared): State<Shared>, PathId(pool): PathId) -> Result<Response, HttpError> {
    let page: PoolPage = read(data(&shared, pool, 0, "").await?)?;
    let value = match page.lines.first().filter(|line| line.rank.is_some()) {
        Some(leader) => format!("{} {}", leader.name(), leader.score()),
        None => format!("{}, {} entries", page.pool.status.to_lowercase(), page.pool.entries),
    };
    Ok(text("image/svg+xml", "max-age=60", rendered(&Badge::new(&page.pool.title(), &value))?))
}

/// `GET /pool/{pool}/card.png`: a pool as sites show a link to it.
pub(crate) async fn card(State(shared): State<Shared>, PathId(pool): PathId) -> Result<Response, HttpError> {
    let page: PoolPage = read(data(&shared, pool, 0, "").await?)?;
    let about = format!("{}, {}, {} entries", page.pool.funds(), page.pool.stands(), page.pool.entries);
    let drawn =
        shared.blocking(move |_| Ok::<_, HttpError>(card::draw(&page.pool.title(), &about, &page.lines))).await?;
    Ok(text("image/png", "max-age=60", drawn))
}

/// How a model is entered from the page itself.
#[derive(Debug, Deserialize, Template)]
#[template(path = "join.html")]
struct JoinPage {
    pool: Pool,
    now_ms: u64,
    benchmark: Id,
    /// Where the sets of documents are that compete.
    #[serde(default)]
    knowledge: Option<Id>,
}

impl JoinPage {
    fn limits(&self) -> SetLimits {
        SetLimits::ALL
    }
}

/// `GET /pool/{pool}/join`.
pub(crate) async fn join(State(shared): State<Shared>, PathId(pool): PathId, headers: HeaderMap) -> Response {
    let page = async {
        let mut page = read::<JoinPage>(data(&shared, pool, 0, "").await?)?;
        if page.pool.is_of_documents() {
            let about = ask_if_it_can(&shared, page.pool.dataset, action("Info"), String::new()).await;
            page.knowledge = about["knowledge"].as_str().and_then(|id| id.parse().ok());
        }
        html(&page)
    };
    Caller::of(&headers).answer(page.await)
}
