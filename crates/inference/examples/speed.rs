//! Measures questions per second of an in-process engine: `speed QUESTIONS.jsonl MODEL.gguf...`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement at the terminal")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Instant;

use inference::{
    Engine as _, EngineOptions, GenerateRequest, ModelFile, ScorePrompt, ScoreRequest, Scored, llama::LlamaEngine,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let questions = support::questions(Path::new(&arguments.next().unwrap()));
    let threads = std::env::var("THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(1);
    for model in arguments {
        let mut engine = LlamaEngine::new(&EngineOptions { threads, ..EngineOptions::default() }).unwrap();
        engine.load(&ModelFile::at(&model)).unwrap();
        println!("{model}, {} questions, {threads} thread(s)", questions.len());
        let rate = |start: Instant, name: &str, correct: usize| {
            let seconds = start.elapsed().as_secs_f64();
            let percent = 100.0 * correct as f64 / questions.len() as f64;
            println!("  {name:42} {:7.1} questions/s  {percent:.1} % right", questions.len() as f64 / seconds);
        };

        let start = Instant::now();
        let prompts: Vec<String> = questions.iter().map(|question| question.prompt.clone()).collect();
        let mut request = GenerateRequest { stop: vec!["\n".to_owned()], ..GenerateRequest::new(prompts, 4) };
        let answers = engine.generate(&request, &mut |_| ()).unwrap();
        let right = answers.iter().zip(&questions);
        rate(
            start,
            "generate 4 tokens",
            right.filter(|(answer, q)| answer.text.trim() == q.letter.to_string()).count(),
        );
        request.max_tokens = 1;
        let start = Instant::now();
        let answers = engine.generate(&request, &mut |_| ()).unwrap();
        let right = answers.iter().zip(&questions);
        rate(start, "generate 1 token", right.filter(|(answer, q)| answer.text.trim() == q.letter.to_string()).count());

        for (name, continuations) in
            [("letters", [" A", " B", " C"]), ("texts", [" A\nContext:", " B\nContext:", " C\nContext:"])]
        {
            let start = Instant::now();
            let prompts = questions.iter().map(|question| prompt(&question.prompt, &continuations)).collect();
            let results = engine.score(&ScoreRequest { system_prompt: None, prompts }, &mut |_| ()).unwrap();
            let right = results.iter().zip(&questions).filter(|(scored, q)| best(scored) == q.letter).count();
            rate(start, &format!("score 3 {name}, question computed once"), right);
            let start = Instant::now();
            for question in &questions {
                for continuation in continuations {
                    // Another text in between, so that nothing is taken over.
                    let prompts = vec![prompt(&question.prompt, &[continuation])];
                    engine.score(&ScoreRequest { system_prompt: None, prompts }, &mut |_| ()).unwrap();
                    engine.generate(&GenerateRequest::new(vec!["x".to_owned()], 0), &mut |_| ()).unwrap();
                }
            }
            rate(start, &format!("score 3 {name}, naive: a request each"), 0);
        }
    }
}

fn prompt(prompt: &str, continuations: &[&str]) -> ScorePrompt {
    let continuations = continuations.iter().map(|&continuation| continuation.to_owned()).collect();
    ScorePrompt { prompt: prompt.to_owned(), continuations }
}

fn best(scored: &Scored) -> char {
    let Scored::Likelihoods(likelihoods) = scored else { return '-' };
    let best =
        (0..3).max_by(|&left, &right| likelihoods[left].log_probability.total_cmp(&likelihoods[right].log_probability));
    ['A', 'B', 'C'][best.unwrap()]
}
