//! Pictures of scores, drawn on the server as SVG. Positions are percentages of the width, so that one picture serves a
//! phone and a wide screen with text of the same size. Colours stand as attributes, for pictures on other sites; a page's
//! style sheet takes their place.

use askama::Template;

use super::board::Line;
use super::format::{day, percent};

/// Height of a row, pixels.
const ROW: usize = 22;
/// Height of the axis above the rows, pixels.
const AXIS: usize = 26;
/// Where the scale begins and ends, per mille of the width.
const SCALE: (f64, f64) = (320.0, 900.0);
/// Characters of a name beside its row.
const NAME_CHARS_MAX: usize = 30;
/// Width and height of a line of days.
const SPARK: (f64, f64) = (72.0, 18.0);

/// A dot and a 95 % interval for each entry on one scale, tied entries bracketed.
#[derive(Debug, Template)]
#[template(path = "plot.svg")]
pub(super) struct Plot {
    title: String,
    summary: String,
    height: usize,
    /// Alone in a file, or inside a page.
    is_alone: bool,
    ticks: Vec<Tick>,
    rows: Vec<Row>,
    brackets: Vec<Bracket>,
}

#[derive(Debug)]
struct Tick {
    x: String,
    label: String,
}

#[derive(Debug)]
struct Row {
    y: usize,
    name: String,
    place: String,
    low: String,
    high: String,
    score: String,
    shown: String,
    is_ranked: bool,
}

/// Rows that are tied, from the middle of the first to the middle of the last.
#[derive(Debug)]
struct Bracket {
    from: usize,
    to: usize,
}

/// A small line of scores by day.
#[derive(Debug)]
pub(super) struct Spark {
    pub(super) path: String,
    pub(super) last: (String, String),
    pub(super) summary: String,
}

impl Plot {
    /// The picture of these entries; nothing if none of them has a score.
    pub(super) fn of(title: &str, lines: &[Line], is_alone: bool) -> Option<Self> {
        let scored: Vec<&Line> = lines.iter().filter(|line| line.is_scored()).collect();
        let (first, step, ticks) = scale(&scored)?;
        let last = first + step * (ticks - 1) as f64;
        let place = |share: f64| {
            let along = ((share * 100.0 - first) / (last - first)).clamp(0.0, 1.0);
            coordinate((SCALE.0 + along * (SCALE.1 - SCALE.0)) / 10.0)
        };
        let tick = |number: usize| {
            let at = first + step * number as f64;
            Tick { x: place(at / 100.0), label: format!("{at:.0} %") }
        };
        let row = |(number, line): (usize, &&Line)| Row {
            y: AXIS + number * ROW + ROW / 2,
            name: shortened(&line.name()),
            place: line.rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string()),
            low: place(line.interval[0]),
            high: place(line.interval[1]),
            score: place(line.score),
            shown: percent(line.score),
            is_ranked: line.rank.is_some(),
        };
        Some(Self {
            title: format!("{title}: scores with 95 % intervals"),
            summary: summary(&scored),
            height: AXIS + scored.len() * ROW + 4,
            is_alone,
            ticks: (0..ticks).map(tick).collect(),
            rows: scored.iter().enumerate().map(row).collect(),
            brackets: brackets(&scored),
        })
    }
}

/// The first tick in percent, how far apart they are, and how many there are: the least scale that holds all intervals,
/// with few enough ticks for a phone.
fn scale(lines: &[&Line]) -> Option<(f64, f64, usize)> {
    let low = lines.iter().map(|line| line.interval[0]).reduce(f64::min)?;
    let high = lines.iter().map(|line| line.interval[1]).reduce(f64::max)?;
    let step = if high - low > 0.4 { 20.0 } else { 10.0 };
    let first = ((low * 100.0 / step).floor() * step).clamp(0.0, 100.0 - step);
    let last = ((high * 100.0 / step).ceil() * step).clamp(first + step, 100.0);
    Some((first, step, ((last - first) / step).round() as usize + 1))
}

fn coordinate(percentage: f64) -> String {
    format!("{percentage:.1}%")
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect()
}

fn summary(lines: &[&Line]) -> String {
    let sentence = |line: &&Line| {
        let [low, high] = line.interval.map(percent);
        format!("{} {}, {low} to {high}", line.name(), percent(line.score))
    };
    let shown: Vec<String> = lines.iter().take(10).map(sentence).collect();
    let more = lines.len().saturating_sub(10);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join("; "))
}

fn brackets(lines: &[&Line]) -> Vec<Bracket> {
    let middle = |number: usize| AXIS + number * ROW + ROW / 2;
    let mut number = 0;
    let mut brackets = Vec::new();
    for tied in lines.chunk_by(|one, other| one.group.is_some() && one.group == other.group) {
        if tied.len() > 1 {
            brackets.push(Bracket { from: middle(number) - 5, to: middle(number + tied.len() - 1) + 5 });
        }
        number += tied.len();
    }
    brackets
}

impl Spark {
    /// The line of an entry's days `[day, correct, answered, total]`, where a question brings up to `points`; all entries of a
    /// board share the scale from `low` to `high`. Nothing for less than two days.
    pub(super) fn of(days: &[[u64; 4]], points: u64, low: f64, high: f64) -> Option<Self> {
        let scored: Vec<(u64, f64)> = days.iter().filter_map(|point| Some((point[0], score(point, points)?))).collect();
        let ((first_day, first), (last_day, last)) = (*scored.first()?, *scored.last()?);
        if first_day == last_day {
            return None;
        }
        let place = |(day, score): &(u64, f64)| {
            let x = (day - first_day) as f64 / (last_day - first_day) as f64 * (SPARK.0 - 6.0) + 2.0;
            let y = SPARK.1 - 3.0 - (score - low) / (high - low).max(0.001) * (SPARK.1 - 6.0);
            (format!("{x:.1}"), format!("{y:.1}"))
        };
        let points: Vec<(String, String)> = scored.iter().map(place).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let date = |number: u64| day(number * 86_400_000);
        Some(Self {
            path: path.join(" "),
            last: points.last().cloned()?,
            summary: format!("{} on {}, {} on {}", percent(first), date(first_day), percent(last), date(last_day)),
        })
    }
}

/// The score of a day, where a question brings up to `points`; nothing without answers.
pub(super) fn score(&[_, correct, answered, _]: &[u64; 4], points: u64) -> Option<f64> {
    (answered > 0).then(|| correct as f64 / (answered * points.max(1)) as f64)
}
