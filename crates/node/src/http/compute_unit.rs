//! The compute unit of AO: what came of messages, and what would come of one. Every answer is JSON, errors too.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use serde::Deserialize;

use ao::limits::ITEM_BYTES_MAX;
use ao::{Id, MessageKind, Tags};

use super::body;
use super::cursor::{Bound, Cursor, Sort};
use super::error::HttpError;
use super::extract::{OfProcess, PathId, QueryOf};
use super::limits::{READ_STEP, RESPONSE_BYTES_MAX, RESULT_WAIT, RESULTS_DEFAULT, TICKS_DEFAULT};
use super::state::{Shared, one_more};
use super::wire::{DryRun, ResultAnswer, ResultEdge, ResultsAnswer, ResultsPageInfo};
use crate::core::{Core, ResultRange, StoredResult};
use crate::error::ReadError;
use crate::limits::PAGE_MAX;

/// The query of a dry-run.
#[derive(Deserialize)]
pub(crate) struct DryRunQuery {
    #[serde(flatten)]
    of: OfProcess,
    to: Option<String>,
}

/// The query of a list of results.
#[derive(Debug, Deserialize)]
pub(crate) struct ResultsQuery {
    from: Option<String>,
    to: Option<String>,
    sort: Option<Sort>,
    limit: Option<usize>,
}

/// `GET /result/{message}?process-id=`: the result of a message, waited for until it is carried out.
pub(crate) async fn result(
    State(shared): State<Shared>,
    PathId(message): PathId,
    QueryOf(query): QueryOf<OfProcess>,
) -> Result<Json<ResultAnswer>, HttpError> {
    let process = query.id()?;
    let _waiting = one_more(&shared.waiting, "waiting requests")?;
    match shared.unless_stopping(shared.core.result(&process, &message, RESULT_WAIT)).await {
        Some(result) => Ok(Json(ResultAnswer::of(result?))),
        None => Err(HttpError::busy("requests, because it stops,")),
    }
}

/// `GET /results/{process}?from&to&sort&limit`: results in order. Messages that were not carried out are left out, as in
/// AO; they are found by their id.
pub(crate) async fn results(
    State(shared): State<Shared>,
    PathId(process): PathId,
    QueryOf(query): QueryOf<ResultsQuery>,
) -> Result<Json<ResultsAnswer>, HttpError> {
    let (from, to) = query.bounds()?;
    let limit = query.limit.unwrap_or(RESULTS_DEFAULT).clamp(1, PAGE_MAX);
    let sort = match from {
        Some(Bound::Slot(_, sort)) => sort,
        _ => query.sort.unwrap_or_default(),
    };
    page(&shared, Wanted { process, sort, limit, only_ticks: false }, from, to).await
}

/// `GET /cron/{process}?from&to&limit`: the results of its ticks, the oldest first.
pub(crate) async fn ticks(
    State(shared): State<Shared>,
    PathId(process): PathId,
    QueryOf(query): QueryOf<ResultsQuery>,
) -> Result<Json<ResultsAnswer>, HttpError> {
    let (from, to) = query.bounds()?;
    let limit = query.limit.unwrap_or(TICKS_DEFAULT).clamp(1, PAGE_MAX);
    page(&shared, Wanted { process, sort: Sort::Ascending, limit, only_ticks: true }, from, to).await
}

async fn page(
    shared: &Shared,
    wanted: Wanted,
    from: Option<Bound>,
    to: Option<Bound>,
) -> Result<Json<ResultsAnswer>, HttpError> {
    let _request = one_more(&shared.requests, "requests")?;
    shared.blocking(move |core| Results { core, wanted }.read(from, to)).await.map(Json)
}

impl ResultsQuery {
    /// Where the list begins and ends.
    fn bounds(&self) -> Result<(Option<Bound>, Option<Bound>), HttpError> {
        let bound = |text: &Option<String>| text.as_deref().map(Bound::parse).transpose();
        Ok((bound(&self.from)?.flatten(), bound(&self.to)?.flatten()))
    }
}

/// Which results of a process are asked for.
struct Wanted {
    process: Id,
    sort: Sort,
    limit: usize,
    /// Those of its clocks only.
    only_ticks: bool,
}

/// The results of a process, and what is asked of them.
struct Results<'a> {
    core: &'a Core,
    wanted: Wanted,
}

impl Results<'_> {
    /// Reads until the page is full, by number or by bytes, and one result further to know whether there is more.
    fn read(&self, from: Option<Bound>, to: Option<Bound>) -> Result<ResultsAnswer, ReadError> {
        let mut range = ResultRange {
            from_slot_exclusive: from.map(|bound| self.begin(bound)).transpose()?.flatten(),
            to_slot: to.map(|bound| self.end(bound)).transpose()?,
            limit: READ_STEP,
            descending: self.wanted.sort == Sort::Descending,
        };
        let summary = self.core.process(&self.wanted.process)?;
        let prompt = format!("{}> ", summary.name.unwrap_or(summary.module));
        let (mut edges, mut bytes) = (Vec::new(), 0);
        loop {
            let step = self.core.results(&self.wanted.process, range)?;
            let is_last = step.len() < READ_STEP;
            for result in step {
                range.from_slot_exclusive = Some(result.slot);
                let is_wanted = !self.wanted.only_ticks || result.kind == MessageKind::Cron;
                if result.outcome.is_err() || !is_wanted {
                    continue;
                }
                if edges.len() >= self.wanted.limit || bytes > RESPONSE_BYTES_MAX {
                    return Ok(answer(edges, true));
                }
                bytes += size(&result);
                let cursor = Cursor::new(result.slot, result.timestamp_ms, self.wanted.sort).encode();
                edges.push(ResultEdge { cursor, node: ResultAnswer::of(result).shown(&prompt) });
            }
            if is_last {
                return Ok(answer(edges, false));
            }
        }
    }

    /// The slot after which the list begins; nothing for the very beginning.
    fn begin(&self, bound: Bound) -> Result<Option<u64>, ReadError> {
        match (bound, self.wanted.sort) {
            (Bound::Slot(slot, _), _) => Ok(Some(slot)),
            (Bound::Time(time_ms), Sort::Ascending) => Ok(self.first_after(time_ms)?.checked_sub(1)),
            (Bound::Time(time_ms), Sort::Descending) => self.core.slot_at(&self.wanted.process, time_ms).map(Some),
        }
    }

    /// The last slot of the list.
    fn end(&self, bound: Bound) -> Result<u64, ReadError> {
        match (bound, self.wanted.sort) {
            (Bound::Slot(slot, _), _) => Ok(slot),
            (Bound::Time(time_ms), Sort::Ascending) => Ok(self.first_after(time_ms)?.saturating_sub(1)),
            (Bound::Time(time_ms), Sort::Descending) => self.core.slot_at(&self.wanted.process, time_ms),
        }
    }

    fn first_after(&self, time_ms: u64) -> Result<u64, ReadError> {
        self.core.slot_at(&self.wanted.process, time_ms.saturating_add(1))
    }
}

fn answer(edges: Vec<ResultEdge>, has_next_page: bool) -> ResultsAnswer {
    ResultsAnswer { page_info: ResultsPageInfo { has_next_page }, edges }
}

/// About how many bytes a result takes on the wire.
fn size(result: &StoredResult) -> usize {
    let Ok(effects) = &result.outcome else { return 0 };
    let tags = |tags: &Tags| tags.iter().map(|tag| tag.name.len() + tag.value.len() + 32).sum::<usize>();
    let messages = effects.messages.iter().map(|message| message.data.len() + tags(&message.tags) + 128);
    let spawns = effects.spawns.iter().map(|spawn| spawn.data.len() + tags(&spawn.tags) + 128);
    messages.sum::<usize>() + spawns.sum::<usize>() + effects.output.data.len() + 256
}

/// `POST /dry-run?process-id=`: what a process would answer to a message now, without any effect.
pub(crate) async fn dry_run(
    State(shared): State<Shared>,
    QueryOf(query): QueryOf<DryRunQuery>,
    request: Request<Body>,
) -> Result<Json<ResultAnswer>, HttpError> {
    let process = query.of.id()?;
    if query.to.is_some() {
        let text = "a dry-run is of the state of now, and that of an earlier message is not kept: leave out ?to=";
        return Err(HttpError::bad_request("bad-dry-run", text));
    }
    let bytes = body::of_request(&shared, request, ITEM_BYTES_MAX).await?;
    let question: DryRun = serde_json::from_slice(&bytes).map_err(|error| {
        let text = format!("the body of a dry-run is JSON with Target, Owner, Data and Tags: {error}");
        HttpError::bad_request("bad-dry-run", text)
    })?;
    let outcome = shared.dry_run_of_now(&process, question.message(process)).await?;
    Ok(Json(ResultAnswer::new(0, outcome)))
}
