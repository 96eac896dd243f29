//! A task: a task file that was checked and made ready to turn questions into prompts, and outputs into judged answers.

use crate::error::within;
use crate::extraction::{Extracted, Extraction, Extractor};
use crate::limits::{CHOICES_MAX, MAX_GEN_TOKS_MAX, UNTIL_MAX};
use crate::metric;
use crate::prompt::Templates;
use crate::protocol::{Profile, protocol_id};
use crate::task_file::{Choices, Generation, MetricEntry, MetricName, OutputType, Target, TaskFile};
use crate::{Question, TaskError};

/// The built-in tasks, by name.
const BUILT_IN: &[(&str, &str)] = &[("siqa", include_str!("builtin/siqa.yaml"))];

/// A task, ready to be used.
#[derive(Debug, Clone)]
pub struct Task {
    file: TaskFile,
    metric: MetricEntry,
    templates: Templates,
    strict: Extractor,
    lenient: Extractor,
}

/// A question as it is put to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The prompt, byte for byte.
    pub prompt: String,
    /// What may follow it, where the model is asked how likely that is; else empty.
    pub continuations: Vec<String>,
    /// The answers that there are; empty if any text may be one.
    pub choices: Vec<String>,
    /// The right answer.
    pub target: String,
    /// The texts that the choices stand for, if known.
    pub options: Vec<String>,
}

/// The task file of a task that comes with the program.
pub fn built_in(name: &str) -> Result<&'static str, TaskError> {
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| TaskError::UnknownTask {
        name: name.chars().take(80).collect(),
        known: BUILT_IN.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
    })
}

impl Task {
    /// Reads and checks a task file.
    pub fn from_yaml(text: &str) -> Result<Self, TaskError> {
        Self::new(TaskFile::from_yaml(text)?)
    }

    /// A task that comes with the program.
    pub fn built_in(name: &str) -> Result<Self, TaskError> {
        Self::from_yaml(built_in(name)?)
    }

    fn new(file: TaskFile) -> Result<Self, TaskError> {
        let metric = check(&file)?;
        let mut templates = Templates::new();
        templates.add("description", &file.description)?;
        templates.add("doc_to_text", &file.doc_to_text)?;
        if let Target::Template(source) = &file.doc_to_target {
            templates.add("doc_to_target", source)?;
        }
        match &file.doc_to_choice {
            Some(Choices::Each(sources)) => add_each(&mut templates, "doc_to_choice", sources)?,
            Some(Choices::List(source)) => templates.add_list("doc_to_choice", source)?,
            None => {}
        }
        add_each(&mut templates, "metadata.options", &file.metadata.options)?;
        let (strict, lenient) = Extractor::pair(&file.filter_list)?;
        Ok(Self { file, metric, templates, strict, lenient })
    }

    /// The file it was made from.
    pub fn file(&self) -> &TaskFile {
        &self.file
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.file.task
    }

    /// For people: its title, or else its name.
    pub fn title(&self) -> &str {
        self.file.metadata.title.as_deref().unwrap_or(&self.file.task)
    }

    /// What is asked of the model.
    pub fn output_type(&self) -> OutputType {
        self.file.output_type
    }

    /// How a text is generated; nothing for a multiple choice.
    pub fn generation(&self) -> Option<&Generation> {
        self.file.generation_kwargs.as_ref().filter(|_| self.file.output_type == OutputType::GenerateUntil)
    }

    /// The protocol id under a profile: SHA-256, lower-case hexadecimal. Scores under different ids are not compared.
    pub fn protocol(&self, profile: Profile) -> String {
        protocol_id(&self.file, profile)
    }

    /// Turns a question into what is put to a model.
    pub fn prepare(&self, question: &Question) -> Result<Prepared, TaskError> {
        let mut prompt = self.templates.render("description", question)?;
        prompt.push_str(&self.templates.render("doc_to_text", question)?);
        let choices = self.choices(question)?;
        let target = self.target(question, &choices)?;
        let options = self.options(question, &choices)?;
        let continuations = match self.file.output_type {
            OutputType::GenerateUntil => Vec::new(),
            OutputType::MultipleChoice => {
                // White space at the end of the prompt belongs to the continuation: models have it at the start of a
                // word.
                let space = prompt.split_off(prompt.trim_end().len());
                choices.iter().map(|choice| format!("{space}{}{choice}", self.file.target_delimiter)).collect()
            }
        };
        if prompt.is_empty() {
            return Err(unusable("doc_to_text", "it is empty"));
        }
        refuse_unrendered("doc_to_text", &prompt, question)?;
        for choice in &choices {
            refuse_unrendered("doc_to_choice", choice, question)?;
        }
        Ok(Prepared { prompt, continuations, choices, target, options })
    }

    fn choices(&self, question: &Question) -> Result<Vec<String>, TaskError> {
        let choices = match &self.file.doc_to_choice {
            None => return Ok(Vec::new()),
            Some(Choices::Each(sources)) => self.each("doc_to_choice", sources.len(), question)?,
            Some(Choices::List(_)) => self.templates.render_list("doc_to_choice", question)?,
        };
        within("doc_to_choice in choices", choices.len(), CHOICES_MAX)?;
        if choices.len() < 2 || choices.iter().any(String::is_empty) {
            return Err(unusable("doc_to_choice", "at least two choices are needed, and none may be empty"));
        }
        Ok(choices)
    }

    /// The right answer. Where there are choices it is one of them, named by its number (from 0) or its text.
    fn target(&self, question: &Question, choices: &[String]) -> Result<String, TaskError> {
        let target = match &self.file.doc_to_target {
            Target::Choice(number) => number.to_string(),
            Target::Template(_) => self.templates.render("doc_to_target", question)?,
        };
        if choices.is_empty() {
            return if target.is_empty() { Err(unusable("doc_to_target", "it is empty")) } else { Ok(target) };
        }
        let found = match target.parse::<usize>() {
            Ok(number) => choices.get(number),
            Err(_) => choices.iter().find(|choice| **choice == target),
        };
        found.cloned().ok_or_else(|| {
            let shown: String = target.chars().take(80).collect();
            unusable(
                "doc_to_target",
                &format!("'{shown}' is none of the {} choices (the first has number 0)", choices.len()),
            )
        })
    }

    fn options(&self, question: &Question, choices: &[String]) -> Result<Vec<String>, TaskError> {
        match self.file.metadata.options.len() {
            0 if self.file.output_type == OutputType::MultipleChoice => Ok(choices.to_vec()),
            0 => Ok(Vec::new()),
            count if count == choices.len() => self.each("metadata.options", count, question),
            _ => Err(unusable("metadata.options", "there must be as many options as choices")),
        }
    }

    fn each(&self, key: &str, count: usize, question: &Question) -> Result<Vec<String>, TaskError> {
        (0..count).map(|place| self.templates.render(&format!("{key}.{place}"), question)).collect()
    }

    /// Finds the answer in a generated text.
    pub fn extract(&self, extraction: Extraction, output: &str, choices: &[String]) -> Extracted {
        let extractor = match extraction {
            Extraction::Strict => &self.strict,
            Extraction::Lenient => &self.lenient,
        };
        let answer = extractor.run(output).filter(|answer| !answer.is_empty());
        match answer {
            Some(answer) if choices.is_empty() || choices.contains(&answer) => Extracted::Answer(answer),
            _ => Extracted::Unparsed,
        }
    }

    /// The likeliest choice, the first of several that are equally likely.
    pub fn choose(&self, loglikelihoods: &[f64], choices: &[String]) -> Extracted {
        let mut best: Option<usize> = None;
        for (place, value) in loglikelihoods.iter().enumerate() {
            if best.is_none_or(|best| *value > loglikelihoods[best]) {
                best = Some(place);
            }
        }
        let chosen = best.and_then(|place| choices.get(place));
        chosen.map_or(Extracted::Unparsed, |choice| Extracted::Answer(choice.clone()))
    }

    /// Whether an answer is the right one.
    pub fn is_correct(&self, answer: &Extracted, target: &str) -> bool {
        answer.answer().is_some_and(|answer| metric::is_correct(&self.metric, answer, target))
    }
}

impl Prepared {
    /// The choice whose option is the longest (in characters; the first of equals), if the options are known.
    pub fn longest(&self) -> Option<&str> {
        let reversed = self.options.iter().map(|option| option.chars().count()).enumerate().rev();
        let (place, _) = reversed.max_by_key(|(_, length)| *length)?;
        self.choices.get(place).map(String::as_str)
    }

    /// The choice whose option is the shortest (in characters; the first of equals), if the options are known.
    pub fn shortest(&self) -> Option<&str> {
        let (place, _) = self.options.iter().enumerate().min_by_key(|(_, option)| option.chars().count())?;
        self.choices.get(place).map(String::as_str)
    }
}

fn add_each(templates: &mut Templates, key: &str, sources: &[String]) -> Result<(), TaskError> {
    within("a list of choices", sources.len(), CHOICES_MAX)?;
    sources.iter().enumerate().try_for_each(|(place, source)| templates.add(&format!("{key}.{place}"), source))
}

fn unusable(key: &str, reason: &str) -> TaskError {
    TaskError::Render { key: key.to_owned(), reason: reason.to_owned() }
}

/// A template that was never filled in lets every model score like chance, and nobody notices for months. Braces that
/// the question itself brought are its own.
fn refuse_unrendered(key: &str, text: &str, question: &Question) -> Result<(), TaskError> {
    if text.contains("{{") && !question.to_json().contains("{{") {
        return Err(unusable(key, "it still holds '{{' after it was filled in"));
    }
    Ok(())
}

/// Whether the parts of a file fit together; its metric.
fn check(file: &TaskFile) -> Result<MetricEntry, TaskError> {
    let wrong = |key, value: String, reason: &str| Err(TaskError::Key { key, value, reason: reason.to_owned() });
    if file.task.trim().is_empty() {
        return wrong("task", "''".to_owned(), "but a task needs a name");
    }
    let [metric] = file.metric_list.as_slice() else {
        let count = format!("{} metrics", file.metric_list.len());
        return wrong("metric_list", count, "but exactly one metric can decide a pool");
    };
    if !metric.higher_is_better {
        return wrong("higher_is_better", "false".to_owned(), "but more right answers are always better");
    }
    let name = format!("{:?}", metric.metric);
    match (file.output_type, metric.metric) {
        (OutputType::GenerateUntil, MetricName::Acc) => {
            wrong("metric", name, "but a generated text is judged by 'exact_match'")
        }
        (OutputType::MultipleChoice, MetricName::ExactMatch) => {
            wrong("metric", name, "but a multiple choice is judged by 'acc'")
        }
        (OutputType::MultipleChoice, _) if file.doc_to_choice.is_none() => {
            wrong("output_type", "multiple_choice".to_owned(), "but there is no doc_to_choice")
        }
        (OutputType::MultipleChoice, _) if !file.filter_list.is_empty() => {
            wrong("filter_list", "filters".to_owned(), "but a multiple choice has no text to filter")
        }
        (OutputType::MultipleChoice, _) => Ok(metric.clone()),
        (OutputType::GenerateUntil, _) => check_generation(file).map(|()| metric.clone()),
    }
}

fn check_generation(file: &TaskFile) -> Result<(), TaskError> {
    let wrong = |key, value: String, reason: &str| Err(TaskError::Key { key, value, reason: reason.to_owned() });
    let Some(generation) = &file.generation_kwargs else {
        return wrong(
            "output_type",
            "generate_until".to_owned(),
            "so it needs generation_kwargs {until, max_gen_toks}",
        );
    };
    within("generation_kwargs.until in texts", generation.until.len(), UNTIL_MAX)?;
    if generation.until.iter().any(String::is_empty) {
        return wrong("until", "''".to_owned(), "which would stop every text before it begins");
    }
    if generation.max_gen_toks == 0 || generation.max_gen_toks > MAX_GEN_TOKS_MAX {
        let value = generation.max_gen_toks.to_string();
        return wrong("max_gen_toks", value, &format!("but it must be between 1 and {MAX_GEN_TOKS_MAX}"));
    }
    if generation.do_sample == Some(true) || generation.temperature.is_some_and(|temperature| temperature != 0.0) {
        return wrong("generation_kwargs", "sampling".to_owned(), "but scores that pay are made without chance");
    }
    Ok(())
}
