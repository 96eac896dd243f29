//! The rules of a pool as its funder writes them: the `X-` tags of the transfer. They are fixed with the first money.

use std::fmt;
use std::str::FromStr;

use ao::{Id, Message};

use super::allocation::Allocation;
use super::duration;
use crate::limits::{
    POOL_DURATION_MS_MAX, POOL_DURATION_MS_MIN, POOL_START_AHEAD_MS_MAX, POOL_START_BEHIND_MS_MAX, TITLE_CHARS_MAX,
};
use crate::payload::{optional, parsed, quoted, required};
use crate::{Fault, readable};

/// The life of a pool where the funder does not say.
const DURATION_DEFAULT: &str = "30-days";

/// What happens where two entries are equally good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ties {
    /// Equal scores share alike what their places are paid.
    #[default]
    Split,
    /// The one that joined first is above.
    Earliest,
    /// Entries that no test can tell from the leader of their group share alike what their places are paid.
    Significance,
}

/// Which extraction of an answer from a model's output pays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Metric {
    /// The output is an answer and nothing else.
    #[default]
    Strict,
    /// An answer is found in the output.
    Lenient,
}

/// The rules of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) dataset: Id,
    pub(super) allocation: Allocation,
    pub(super) ties: Ties,
    pub(super) metric: Metric,
    pub(super) title: String,
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
}

impl Options {
    /// Reads the tags of a notice that arrived at its timestamp.
    pub(super) fn read(notice: &Message) -> Result<Self, Fault> {
        let dataset: Id = parsed(notice, "X-Dataset")?;
        let allocation = Allocation::parse(required(notice, "X-Allocation")?, notice.tag("X-Table"))?;
        let ties: Ties = optional(notice, "X-Ties")?.unwrap_or_default();
        if ties == Ties::Significance && allocation == Allocation::Proportional {
            let reason = "Proportional pays by the score itself, so there is no place to be tied for".to_owned();
            return Err(Fault::BadTag { name: "X-Ties", value: ties.to_string(), reason });
        }
        let metric = optional(notice, "X-Metric")?.unwrap_or_default();
        let title = title(notice)?;
        let start_ms = start_ms(notice)?;
        let end_ms = start_ms + duration_ms(notice)?;
        Ok(Self { dataset, allocation, ties, metric, title, start_ms, end_ms })
    }
}

fn title(notice: &Message) -> Result<String, Fault> {
    let title = readable::visible(notice.tag("X-Title").unwrap_or_default());
    if title.chars().count() > TITLE_CHARS_MAX {
        let reason = format!("a title has at most {TITLE_CHARS_MAX} characters");
        return Err(Fault::BadTag { name: "X-Title", value: quoted(&title), reason });
    }
    Ok(title)
}

fn start_ms(notice: &Message) -> Result<u64, Fault> {
    let now_ms = notice.timestamp_ms;
    let Some(text) = notice.tag("X-Start") else { return Ok(now_ms) };
    let bad = |reason: String| Fault::BadTag { name: "X-Start", value: quoted(text), reason };
    let digits = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    let start_ms: Option<u64> = text.parse().ok().filter(|_| digits);
    let start_ms = start_ms.ok_or_else(|| bad("it is a whole number of milliseconds since 1970".to_owned()))?;
    if start_ms + POOL_START_BEHIND_MS_MAX < now_ms {
        return Err(bad(format!("it is in the past; now is {now_ms}")));
    }
    if start_ms > now_ms + POOL_START_AHEAD_MS_MAX {
        return Err(bad(format!("it is more than {} ahead; now is {now_ms}", duration::text(POOL_START_AHEAD_MS_MAX))));
    }
    Ok(start_ms.max(now_ms))
}

fn duration_ms(notice: &Message) -> Result<u64, Fault> {
    let text = notice.tag("X-Duration").unwrap_or(DURATION_DEFAULT);
    let allowed = POOL_DURATION_MS_MIN..=POOL_DURATION_MS_MAX;
    duration::parse(text).filter(|span_ms| allowed.contains(span_ms)).ok_or_else(|| {
        let (least, most) = (duration::text(POOL_DURATION_MS_MIN), duration::text(POOL_DURATION_MS_MAX));
        let reason = format!("it is written as 30-days, 12-hours or 90-minutes and is from {least} to {most}");
        Fault::BadTag { name: "X-Duration", value: quoted(text), reason }
    })
}

/// Why a text is none of a few known words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is one of {0}")]
pub(super) struct NotOneOf(&'static str);

impl FromStr for Ties {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        match text {
            "split" => Ok(Self::Split),
            "earliest" => Ok(Self::Earliest),
            "significance" => Ok(Self::Significance),
            _ => Err(NotOneOf("split, earliest and significance")),
        }
    }
}

impl fmt::Display for Ties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Split => "split",
            Self::Earliest => "earliest",
            Self::Significance => "significance",
        })
    }
}

impl FromStr for Metric {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        match text {
            "strict" => Ok(Self::Strict),
            "lenient" => Ok(Self::Lenient),
            _ => Err(NotOneOf("strict and lenient")),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
        })
    }
}
