//! Two entries of a pool side by side: how many points they are apart on the questions that both have answered.

use serde_json::json;
use tasks::statistics::paired_points;

use super::score;
use super::turn::Turn;
use crate::Fault;

/// `Compare`: the entry of the documents in the tag `Above` beside that of those in the tag `Model`, in the pool in the tag
/// `Pool`: what the first has more for each question, and on how many questions which has more. Null while no question is answered
/// for both.
pub(super) fn compare(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let [below, above] = ["Model", "Above"].map(|tag| score::named(turn, tag).map(|entry| entry.id));
    let sql = "SELECT above.score, below.score FROM judgements AS above
               JOIN judgements AS below ON below.question = above.question AND below.entry = ?2
               WHERE above.entry = ?1 AND above.status = 'answered' AND below.status = 'answered'
               ORDER BY above.question";
    let pairs = turn.store.all(sql, (above?, below?), |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))?;
    let found = paired_points(pairs).map(|found| {
        json!({
            "questions": found.questions,
            "difference": found.mean,
            "interval": found.interval.map(|(low, high)| [low, high]),
            "above_more": found.first_more,
            "below_more": found.second_more,
            "p_value": found.p_value,
        })
    });
    turn.answer("Compare-Response", &found.into());
    Ok(())
}
