//! What ten thousand questions cost beside a thousand: the same command on a small model, the same questions and more.

use serde::Serialize;

use super::report::OurRun;
use super::rivals::Place;
use super::{aobench, questions};
use crate::output::{Column, table};

/// How many questions the smaller evaluation has; the larger one has ten times as many.
const QUESTIONS: usize = 1_000;
/// Each is measured this many times, in turn; the fastest counts.
const ROUNDS: usize = 2;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Scaling {
    /// Seconds of the larger evaluation in seconds of the smaller one: 10 if a question costs the same in both.
    cost_of_ten_times: f64,
    profile: String,
    runs: Vec<OurRun>,
}

pub(super) fn measure(place: &Place<'_>, profile: &str, mut tell: impl FnMut(String)) -> anyhow::Result<Scaling> {
    let sizes = [QUESTIONS, 10 * QUESTIONS].map(|size| (size, format!("bench_{size}")));
    for (size, task) in &sizes {
        questions::write_task(place.folder, task, "", &questions::made(*size))?;
    }
    let mut runs = Vec::new();
    let mut fastest = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for ((size, task), fastest) in sizes.iter().zip(&mut fastest) {
            tell(format!("aobench eval, {size} questions"));
            let run = aobench(place, profile, task, *size)?;
            *fastest = fastest.min(run.seconds);
            runs.push(run);
        }
    }
    Ok(Scaling { cost_of_ten_times: fastest[1] / fastest[0], profile: profile.to_owned(), runs })
}

pub(super) fn describe(scaling: &Scaling) -> String {
    let columns = [Column::Number("questions"), Column::Number("s"), Column::Number("questions/s")];
    let rows = scaling.runs.iter().map(|run| {
        vec![
            run.questions.to_string(),
            format!("{:.2}", run.seconds),
            format!("{:.1}", run.questions as f64 / run.seconds),
        ]
    });
    let cost = scaling.cost_of_ten_times;
    table(&columns, rows) + &format!("\nten times the questions cost {cost:.2} times as much")
}
