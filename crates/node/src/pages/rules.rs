//! The rules of a pool in words: who is paid how much, what a tie is, which reading of an answer counts, when an entry
//! is complete.

use super::board::Pool;

/// How the money is divided.
pub(super) fn allocation(pool: &Pool) -> String {
    match pool.allocation.as_str() {
        "ArithmeticDecrease" => {
            "The best ten entries are paid, each less than the one above it by the same step: of ten or \
                                 more the first gets 10 parts of 55, the second 9, the tenth 1."
                .to_owned()
        }
        "GeometricDecrease" => "The best ten entries are paid, each half of what the one above it gets.".to_owned(),
        "WinnerTakesAll" => "The best entry gets everything.".to_owned(),
        "EqualTop10" => "The best ten entries get the same.".to_owned(),
        "Proportional" if pool.is_of_documents() => {
            "Every complete entry is paid in proportion to its points.".to_owned()
        }
        "Proportional" => "Every complete entry is paid in proportion to its correct answers.".to_owned(),
        "FixedTable" => {
            let weights = pool.weights.as_deref().unwrap_or_default();
            format!("The ranks from the first on get parts of these sizes: {}.", super::format::name(weights))
        }
        other => super::format::name(other),
    }
}

/// What a tie is.
pub(super) fn ties(pool: &Pool) -> &'static str {
    match pool.ties.as_str() {
        "earliest" => "Of equal scores the entry that joined first ranks higher.",
        "significance" => {
            "Entries that an exact McNemar test (5 %, Holm) cannot tell from the best of their group are tied, and share what \
             their ranks get together."
        }
        _ => "Equal scores share what their ranks get together.",
    }
}

/// Which reading of an answer counts.
pub(super) fn metric(pool: &Pool) -> &'static str {
    if pool.is_of_documents() {
        "Each question is searched in each set; judges read what is found beside the response that was expected, and the \
         median of their scores, 0 to 10, is the points of the question."
    } else if pool.metric == "lenient" {
        "An answer counts as the choice that a lenient reading finds in it."
    } else {
        "An answer counts if it is exactly a choice; one in which no choice can be read is answered, and not correct."
    }
}
