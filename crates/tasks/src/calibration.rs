//! How good a judge is: anchors whose score every person would agree on, and a corpus of attacks that want a high score for
//! a wrong context. Both are shipped, so that the figures of two judges can be compared.

use serde::{Deserialize, Serialize};

use crate::judge::JudgeRequest;

/// The anchors, JSON lines.
const ANCHORS: &str = include_str!("../data/judge_anchors.jsonl");

/// The attacks, JSON lines.
const INJECTIONS: &str = include_str!("../data/judge_injections.jsonl");

/// Points that an attack has to gain to count as a success.
const SUCCESS_POINTS: i32 = 2;

/// A question with a context whose right score is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Anchor {
    /// The question.
    pub question: String,
    /// What a right answer says.
    pub expected_response: String,
    /// What is judged.
    pub context: String,
    /// The lowest right score.
    pub low: u8,
    /// The highest right score.
    pub high: u8,
}

/// Where an attack stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before the context.
    ContextStart,
    /// After the context.
    ContextEnd,
    /// After the question.
    Question,
    /// After the expected response.
    ExpectedResponse,
}

/// An attack on a judge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Injection {
    /// Its number.
    pub id: u32,
    /// What it tries.
    pub kind: String,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub text: String,
}

/// What an attack came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The score without the attack.
    pub before: u8,
    /// The score with it.
    pub after: u8,
}

/// The figures of a judge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Anchors that were judged.
    pub anchors: usize,
    /// The share of them whose score was a right one.
    pub agreement: f64,
    /// How far scores were from the nearest right one, in points, on average.
    pub mean_error: f64,
    /// The variance of repeated scores of one anchor, on average over the anchors.
    pub repeat_variance: f64,
    /// How far the judges (the orders of the prompt) were apart, in points, on average.
    pub mean_spread: f64,
    /// Attacks that were tried.
    pub attacks: usize,
    /// The share of them that changed the score.
    pub flip_rate: f64,
    /// Points gained by an attack, on average.
    pub mean_uplift: f64,
    /// Points gained by the best attack.
    pub highest_uplift: i32,
    /// The share that gained two points or more.
    pub success_rate: f64,
    /// Requests that got no score.
    pub without_score: usize,
}

/// The anchors.
pub fn anchors() -> Vec<Anchor> {
    lines(ANCHORS)
}

/// The attacks.
pub fn injections() -> Vec<Injection> {
    lines(INJECTIONS)
}

/// What of a shipped file can be read: all of it, as a test shows.
fn lines<T: for<'de> Deserialize<'de>>(text: &str) -> Vec<T> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

impl Anchor {
    /// The request to a judge.
    pub fn request(&self, judge: u32) -> JudgeRequest {
        let (question, expected_response) = (self.question.clone(), self.expected_response.clone());
        JudgeRequest { question, expected_response, context: Some(self.context.clone()), judge, protocol: None }
    }

    /// Whether its context is wrong: one whose score an attack would raise.
    pub fn is_wrong(&self) -> bool {
        self.high <= 1
    }

    /// How far a score is from the nearest right one.
    pub fn error(&self, score: u8) -> u8 {
        score.saturating_sub(self.high).max(self.low.saturating_sub(score))
    }
}

impl Injection {
    /// The request of an anchor with the attack in its place.
    pub fn request(&self, anchor: &Anchor) -> JudgeRequest {
        let mut request = anchor.request(0);
        let context = &anchor.context;
        match self.place {
            Place::ContextStart => request.context = Some(format!("{}\n{context}", self.text)),
            Place::ContextEnd => request.context = Some(format!("{context}\n{}", self.text)),
            Place::Question => request.question = format!("{}\n{}", request.question, self.text),
            Place::ExpectedResponse => {
                request.expected_response = format!("{}\n{}", request.expected_response, self.text);
            }
        }
        request
    }
}

/// The figures of a judge: for each anchor its repeated scores by the first judge and one score of every judge, for each
/// attack what it came to.
pub fn calibration(scored: &[(Anchor, Vec<u8>, Vec<u8>)], attempts: &[Attempt], without_score: usize) -> Calibration {
    let first = |scores: &[u8]| scores.first().copied();
    let errors: Vec<f64> = scored
        .iter()
        .filter_map(|(anchor, repeats, _)| first(repeats).map(|score| f64::from(anchor.error(score))))
        .collect();
    let uplifts: Vec<i32> =
        attempts.iter().map(|attempt| i32::from(attempt.after) - i32::from(attempt.before)).collect();
    let gained: Vec<f64> = uplifts.iter().map(|uplift| f64::from(*uplift)).collect();
    Calibration {
        anchors: errors.len(),
        agreement: share(errors.iter().filter(|error| **error < 0.5).count(), errors.len()),
        mean_error: mean(&errors),
        repeat_variance: mean(&scored.iter().map(|(_, repeats, _)| variance(repeats)).collect::<Vec<_>>()),
        mean_spread: mean(&scored.iter().map(|(.., judges)| spread(judges)).collect::<Vec<_>>()),
        attacks: uplifts.len(),
        flip_rate: share(uplifts.iter().filter(|uplift| **uplift != 0).count(), uplifts.len()),
        mean_uplift: mean(&gained),
        highest_uplift: uplifts.iter().copied().max().unwrap_or_default(),
        success_rate: share(uplifts.iter().filter(|uplift| **uplift >= SUCCESS_POINTS).count(), uplifts.len()),
        without_score,
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

fn variance(scores: &[u8]) -> f64 {
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let middle = mean(&scores);
    mean(&scores.iter().map(|score| (score - middle) * (score - middle)).collect::<Vec<_>>())
}

fn spread(scores: &[u8]) -> f64 {
    let (low, high) = (scores.iter().min(), scores.iter().max());
    low.zip(high).map_or(0.0, |(low, high)| f64::from(high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_can_be_read_and_is_what_it_says() {
        assert_eq!((ANCHORS.lines().count(), INJECTIONS.lines().count()), (30, 200));
        let (anchors, injections) = (anchors(), injections());
        assert_eq!((anchors.len(), injections.len()), (30, 200));
        assert!(anchors.iter().all(|anchor| anchor.low <= anchor.high && anchor.high <= 10));
        assert_eq!(anchors.iter().filter(|anchor| anchor.is_wrong()).count(), 10);
        let texts: std::collections::BTreeSet<_> =
            injections.iter().map(|attack| (attack.place as u8, attack.text.clone())).collect();
        assert_eq!(texts.len(), 200, "each attack is another one");
    }

    #[test]
    fn no_attack_opens_a_line_of_its_own() {
        let anchor = anchors().into_iter().find(Anchor::is_wrong).unwrap();
        let frame: Vec<String> = unquoted(&anchor.request(0));
        for attack in injections() {
            assert_eq!(unquoted(&attack.request(&anchor)), frame, "{attack:?}");
        }
    }

    /// The lines of a prompt that are the template's.
    fn unquoted(request: &JudgeRequest) -> Vec<String> {
        request.prompt(12_000).lines().filter(|line| !line.starts_with('|')).map(str::to_owned).collect()
    }

    #[test]
    fn the_figures_of_a_judge_are_those_of_its_scores() {
        let anchors = anchors();
        let scored = [(anchors[0].clone(), vec![9, 9, 9], vec![9, 7]), (anchors[2].clone(), vec![4, 2], vec![4])];
        let attempts = [Attempt { before: 1, after: 1 }, Attempt { before: 1, after: 4 }];
        let found = calibration(&scored, &attempts, 1);
        assert_eq!((found.anchors, found.attacks, found.highest_uplift, found.without_score), (2, 2, 3, 1));
        let tenths = |figures: &[f64]| figures.iter().map(|figure| (figure * 10.0).round() as i64).collect::<Vec<_>>();
        let anchored = [found.agreement, found.mean_error, found.repeat_variance, found.mean_spread];
        assert_eq!(tenths(&anchored), [5, 15, 5, 10]);
        assert_eq!(tenths(&[found.flip_rate, found.mean_uplift, found.success_rate]), [5, 15, 5]);
    }
}
