//! Questions of the shape of Social IQa: one or two sentences, a question, three answers of a few words. Made here, or
//! from a file; and the task that asks them, for every program that is measured.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// A question with its three answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) context: String,
    pub(super) question: String,
    pub(super) answers: [String; 3],
    /// Which answer is right, from 0 on.
    pub(super) label: usize,
}

/// What stands before each question where a shared beginning is measured: about 60 tokens.
pub(super) const SYSTEM_PROMPT: &str = "You are given a short description of a social situation and a question about \
the people in it. Think about what they want, what they feel and what they would do next, and then continue with the \
answer that a thoughtful person would find the most likely one. Answer with a few words and nothing else.\n\n";

/// The first `count` questions of a file of Social IQa (JSON lines), again from its beginning if it has fewer.
pub(super) fn read(path: &Path, count: usize) -> anyhow::Result<Vec<Question>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let parse = |line: &str| -> anyhow::Result<Question> {
        let row: Value = serde_json::from_str(line)?;
        let field = |name: &str| {
            row[name].as_str().map(str::to_owned).with_context(|| format!("a question has no field '{name}'"))
        };
        let label = field("result")?.parse::<usize>().ok().filter(|label| (1..=3).contains(label));
        Ok(Question {
            context: field("context")?,
            question: field("question")?,
            answers: [field("answerA")?, field("answerB")?, field("answerC")?],
            label: label.context("'result' of a question is not 1, 2 or 3")? - 1,
        })
    };
    let all: Vec<Question> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("the questions in {}", path.display()))?;
    if all.is_empty() {
        bail!("{} holds no question", path.display());
    }
    Ok(all.iter().cycle().take(count).cloned().collect())
}

/// Made questions, each another one.
pub(super) fn made(count: usize) -> Vec<Question> {
    const NAMES: [&str; 16] = [
        "Tracy", "Riley", "Sydney", "Sasha", "Austin", "Kendall", "Jordan", "Skylar", "Robin", "Quinn", "Casey",
        "Remy", "Jesse", "Cameron", "Alex", "Bailey",
    ];
    const DEEDS: [&str; 12] = [
        "helped carry the heavy boxes up to the third floor for",
        "forgot to return the expensive camera that belonged to",
        "spent the whole weekend repairing the old bicycle of",
        "told everyone at the office a funny story about",
        "prepared a surprise dinner with candles and music for",
        "quietly left the meeting before the end because of",
        "found a wallet in the park and brought it back to",
        "practised the difficult song every evening together with",
        "wrote a long letter and apologised for the argument with",
        "borrowed an umbrella and a warm coat from",
        "won the last round of the tournament against",
        "planted tomatoes and flowers in the small garden of",
    ];
    const AFTER: [&str; 8] = [
        "",
        " It had been raining for days.",
        " Nobody else had noticed anything.",
        " Everyone around was very surprised.",
        " It was the first time this happened.",
        " They had known each other since school.",
        " The neighbours watched from across the street.",
        " Later that day they had coffee together.",
    ];
    const QUESTIONS: [&str; 6] = [
        "What will {} want to do next?",
        "How would you describe {}?",
        "Why did {} do this?",
        "What does {} need to do before this?",
        "How would {} feel afterwards?",
        "What will happen to {}?",
    ];
    const ANSWERS: [&str; 18] = [
        "thank everybody for the help",
        "very proud of the result",
        "a generous and patient person",
        "go home and rest for a while",
        "somewhat embarrassed about it",
        "ask a friend for advice",
        "wanted to make a good impression",
        "find the right tools first",
        "be invited again next week",
        "annoyed and a little tired",
        "save enough money for the trip",
        "someone who keeps promises",
        "avoid talking about the matter",
        "apologise and explain what happened",
        "did not want to be late",
        "celebrate with the whole family",
        "indifferent",
        "learn how to do it better",
    ];
    let mut random = Random(11);
    let made = |number: usize| {
        let (who, whom) = (random.of(&NAMES), random.of(&NAMES));
        let context = format!("On day {number} {who} {} {whom}.{}", random.of(&DEEDS), random.of(&AFTER));
        let question = random.of(&QUESTIONS).replace("{}", who);
        // Three steps of at most 5 among 18 answers meet none of them twice.
        let (first, step) = (random.below(ANSWERS.len()), 1 + random.below(5));
        let answers = std::array::from_fn(|place| ANSWERS[(first + place * step) % ANSWERS.len()].to_owned());
        Question { context, question, answers, label: number % 3 }
    };
    (1..=count).map(made).collect()
}

/// A generator of numbers that are random enough for questions (xorshift).
struct Random(u64);

impl Random {
    /// A number below another one.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        number as usize % end.max(1)
    }

    /// One of some.
    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all.get(self.below(all.len())).copied().unwrap_or_default()
    }
}

/// Writes the questions as JSON lines, and beside them a task that asks for the log-likelihoods of the answers.
pub(super) fn write_task(folder: &Path, name: &str, description: &str, questions: &[Question]) -> anyhow::Result<()> {
    let mut lines = String::new();
    for question in questions {
        let [first, second, third] = &question.answers;
        let row = json!({
            "context": question.context, "question": question.question,
            "answerA": first, "answerB": second, "answerC": third, "label": question.label,
        });
        lines.push_str(&row.to_string());
        lines.push('\n');
    }
    let data = folder.join(format!("{name}.jsonl"));
    std::fs::write(&data, lines)?;
    // A JSON text is a YAML text, whatever is in it.
    let quoted = |text: &str| Value::from(text).to_string();
    let task = format!(
        "task: {name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {}\ntest_split: test\n\
         output_type: multiple_choice\ndescription: {}\ndoc_to_text: \"Q: {{{{context}}}} {{{{question}}}}\\nA:\"\n\
         doc_to_choice: \"{{{{[answerA, answerB, answerC]}}}}\"\ndoc_to_target: label\nmetric_list:\n  - metric: acc\n\
         metadata:\n  version: 1.0\n",
        quoted(&data.display().to_string()),
        quoted(description)
    );
    std::fs::write(folder.join(format!("{name}.yaml")), task)?;
    Ok(())
}

/// The questions in the form that `llama-perplexity --multiple-choice` reads: their number, the place of each, and for
/// each the text before the answers, the answers, and which are right; once more for several right ones, empty here.
pub(super) fn for_perplexity(description: &str, questions: &[Question]) -> Vec<u8> {
    fn put(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    let mut body = Vec::new();
    let mut head = (questions.len() as u32).to_le_bytes().to_vec();
    for question in questions {
        head.extend_from_slice(&((4 + 4 * questions.len() + body.len()) as u32).to_le_bytes());
        put(&mut body, &format!("{description}Q: {} {}\nA:", question.context, question.question));
        body.extend_from_slice(&3u32.to_le_bytes());
        question.answers.iter().for_each(|answer| put(&mut body, answer));
        (0..3).for_each(|place| body.extend_from_slice(&u32::from(place == question.label).to_le_bytes()));
        body.extend_from_slice(&0u32.to_le_bytes());
    }
    head.extend_from_slice(&body);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_questions_are_the_same_each_time_and_each_another_one() {
        let questions = made(200);
        assert_eq!(questions, made(200));
        let contexts: std::collections::BTreeSet<&str> =
            questions.iter().map(|question| question.context.as_str()).collect();
        assert_eq!(contexts.len(), 200);
    }

    #[test]
    fn no_made_question_has_an_answer_twice() {
        for question in made(10_000) {
            let distinct: std::collections::BTreeSet<&String> = question.answers.iter().collect();
            assert_eq!(distinct.len(), 3, "an evaluation refuses {question:?}");
        }
    }

    #[test]
    fn a_place_in_the_file_for_llama_perplexity_is_where_a_question_begins() {
        let questions = made(3);
        let bytes = for_perplexity("S. ", &questions);
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(number(0), 3);
        for (index, question) in questions.iter().enumerate() {
            let at = number(4 + 4 * index);
            let text = std::str::from_utf8(&bytes[at + 4..at + 4 + number(at)]).unwrap();
            assert_eq!(text, format!("S. Q: {} {}\nA:", question.context, question.question));
        }
    }
}
