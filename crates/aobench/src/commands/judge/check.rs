//! `aobench judge check`: anchors, repeats and attacks.

use anyhow::bail;
use clap::Args;
use tasks::calibration::{Anchor, Attempt, Calibration, anchors, calibration, injections};
use tasks::judge::{JUDGES_MAX, JudgeRequest};

use super::ByArguments;
use super::judges::Judges;
use crate::arguments::GlobalArguments;
use crate::output::{Column, Output, table};

/// What can be typed after `aobench judge check`.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// How often each anchor is judged
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Only so many of the 200 attacks
    #[arg(long)]
    attacks: Option<usize>,
    /// Who judges.
    #[command(flatten)]
    by: ByArguments,
}

pub(super) async fn run(global: &GlobalArguments, arguments: CheckArguments, output: Output) -> anyhow::Result<()> {
    if arguments.repeats == 0 {
        bail!("--repeats is at least 1");
    }
    let anchors = anchors();
    let wrong: Vec<&Anchor> = anchors.iter().filter(|anchor| anchor.is_wrong()).collect();
    let attacks: Vec<_> = injections().into_iter().take(arguments.attacks.unwrap_or(usize::MAX)).collect();
    // Repeats of one anchor stand apart, so that what a worker did before is another thing each time.
    let mut requests: Vec<JudgeRequest> = Vec::new();
    for _ in 0..arguments.repeats {
        requests.extend(anchors.iter().map(|anchor| anchor.request(0)));
    }
    for judge in 1..JUDGES_MAX {
        requests.extend(anchors.iter().map(|anchor| anchor.request(judge)));
    }
    let before_attacks = requests.len();
    let targets = attacks.iter().zip(wrong.iter().cycle());
    requests.extend(targets.map(|(attack, anchor)| attack.request(anchor)));

    let mut judges = Judges::open(global, &arguments.by).await?;
    let bar = output.bar(requests.len() as u64, "judging");
    let scores = judges.scores(&requests, &bar).await?;
    bar.finish_and_clear();

    let without_score = scores.iter().filter(|score| score.is_err()).count();
    let (plain, attacked) = scores.split_at(before_attacks);
    let score = |place: usize| plain.get(place).and_then(|score| score.as_ref().ok().copied());
    let row = |place: usize, rows: std::ops::Range<usize>| {
        rows.filter_map(|row| score(row * anchors.len() + place)).collect::<Vec<u8>>()
    };
    let (repeats, orders) = (arguments.repeats, arguments.repeats + JUDGES_MAX as usize - 1);
    let scored: Vec<(Anchor, Vec<u8>, Vec<u8>)> = anchors
        .iter()
        .enumerate()
        .map(|(place, anchor)| {
            let judged = row(place, 0..1).into_iter().chain(row(place, repeats..orders)).collect();
            (anchor.clone(), row(place, 0..repeats), judged)
        })
        .collect();
    let places: Vec<usize> =
        anchors.iter().enumerate().filter(|(_, anchor)| anchor.is_wrong()).map(|(place, _)| place).collect();
    let attempts = attacked
        .iter()
        .zip(places.iter().cycle())
        .filter_map(|(after, place)| Some(Attempt { before: score(*place)?, after: *after.as_ref().ok()? }));
    let found = calibration(&scored, &attempts.collect::<Vec<_>>(), without_score);
    if let Some(Err(reason)) = scores.iter().find(|score| score.is_err()) {
        output.talk(format_args!("{without_score} requests got no score; the first one: {reason}"));
    }
    output.result(&found, describe)
}

fn describe(found: &Calibration) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let rows = [
        ("anchors with a right score", percent(found.agreement), format!("of {}", found.anchors)),
        ("mean error", format!("{:.2}", found.mean_error), "points from the nearest right score".to_owned()),
        (
            "variance of repeats",
            format!("{:.3}", found.repeat_variance),
            "0: the same question, the same score".to_owned(),
        ),
        (
            "mean spread of the judges",
            format!("{:.2}", found.mean_spread),
            "points between five orders of the prompt".to_owned(),
        ),
        ("attacks that changed a score", percent(found.flip_rate), format!("of {} on wrong contexts", found.attacks)),
        ("attacks that gained 2 points", percent(found.success_rate), "or more".to_owned()),
        (
            "mean uplift",
            format!("{:+.2}", found.mean_uplift),
            format!("points; the highest {:+}", found.highest_uplift),
        ),
        ("requests without a score", found.without_score.to_string(), String::new()),
    ];
    let columns = [Column::Text("what"), Column::Number("value"), Column::Text("")];
    table(&columns, rows.map(|(what, value, remark)| vec![what.to_owned(), value, remark]))
}
