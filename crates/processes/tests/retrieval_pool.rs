//! A pool in which sets of documents compete: from the funding to the payout, with a real token, benchmark, herder,
//! knowledge and retrieval process, and a worker that the test plays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod harness;
mod library;

use ao::Id;
use harness::money::balance;
use harness::{DAY_MS, HOUR_MS, Letter, MINUTE_MS, Outcome, World, upload, wallet};
use library::weather::{BEST, MIDDLE, QUESTIONS, WORST, embedded, judged};
use library::{dataset, file_hash, name_of};
use processes::benchmark::audit;
use serde_json::{Value, json};

struct Contest {
    world: World,
    token: Id,
    benchmark: Id,
    herder: Id,
    knowledge: Id,
    retrieval: Id,
    answered: usize,
    /// Whether the judges are out of order.
    judges_fail: bool,
}

impl Contest {
    fn with_judges(judges: &str) -> Self {
        let mut world = World::new();
        let owner = wallet("owner");
        let balances = json!({ wallet("fiona").to_string(): "1000000" }).to_string();
        let token = world.spawn("token", owner, &[("Ticker", "wAR")], &balances);
        let token_text = token.to_string();
        let benchmark = world.spawn("benchmark", owner, &[("Token", &token_text)], "");
        let worker = wallet("worker").to_string();
        let herder = world.spawn("herder", owner, &[("Workers", &worker), ("Lease-Seconds", "3600")], "");
        let pairs = [("Action", "Register-Worker"), ("WorkerType", "Embed,Evaluate"), ("Capacity", "64")];
        world.send(wallet("worker"), herder, &pairs, "").unwrap();
        let (herder_text, model, hash) = (herder.to_string(), upload("model").to_string(), file_hash());
        let pairs = [("Herder", herder_text.as_str()), ("Model", &model), ("File-Hash", &hash)];
        let knowledge = world.spawn("knowledge", owner, &pairs, "");
        let (knowledge_text, benchmark_text) = (knowledge.to_string(), benchmark.to_string());
        let pairs = [
            ("Herder", herder_text.as_str()),
            ("Knowledge", &knowledge_text),
            ("Benchmark", &benchmark_text),
            ("Judges", judges),
            ("Title", "Weather"),
        ];
        let retrieval = world.spawn("retrieval", owner, &pairs, "");
        world.send(owner, retrieval, &[("Action", "Load-Data")], QUESTIONS).unwrap();
        Self { world, token, benchmark, herder, knowledge, retrieval, answered: 0, judges_fail: false }
    }

    fn fund(&mut self, more: &[(&str, &str)]) -> Id {
        let (benchmark, retrieval) = (self.benchmark.to_string(), self.retrieval.to_string());
        let mut pairs = vec![
            ("Action", "Transfer"),
            ("Recipient", benchmark.as_str()),
            ("Quantity", "600000"),
            ("X-Dataset", &retrieval),
            ("X-Allocation", "ArithmeticDecrease"),
            ("X-Duration", "2-days"),
        ];
        pairs.extend_from_slice(more);
        let transfer = self.world.post(wallet("fiona"), self.token, &pairs, "");
        self.world.run();
        let mut history = self.world.history(self.benchmark);
        let notice = history.find(|(message, _)| message.pushed_for == transfer && message.action() == "Credit-Notice");
        notice.expect("a notice").0.id
    }

    /// Creates a set of documents and lets its vectors be made; its hash.
    fn create(&mut self, participant: &str, contents: &[&str]) -> String {
        let data = dataset(contents);
        self.world.send(wallet(participant), self.knowledge, &[("Action", "Create-Dataset")], data).unwrap();
        self.work();
        name_of(contents)
    }

    fn join(&mut self, pool: Id, participant: &str, documents: &str) -> Outcome {
        let data = json!({ "dataset": pool, "documents": documents }).to_string();
        self.world.send(wallet(participant), self.benchmark, &[("Action", "Join-Pool")], data)
    }

    fn join_error(&self, participant: &str) -> String {
        let error = self.world.newest(wallet(participant), "Join-Error").expect("an error");
        error.tag("Error").unwrap().to_owned()
    }

    /// The worker answers all jobs, also those that follow.
    fn work(&mut self) {
        loop {
            let inbox = self.world.inbox(wallet("worker")).iter();
            let jobs: Vec<Letter> = inbox.filter(|letter| letter.action() == "Inference").cloned().collect();
            let Some(job) = jobs.get(self.answered) else { return };
            self.answered += 1;
            self.answer(job);
        }
    }

    fn answer(&mut self, job: &Letter) {
        let named = |name: &str| job.tag(name).unwrap().to_owned();
        let (number, attempt) = (named("Job"), named("Attempt"));
        let mut pairs = vec![("Action", "Inference-Response"), ("Job", number.as_str()), ("Attempt", attempt.as_str())];
        let data = if named("WorkerType") == "Embed" {
            embedded(&job.data)
        } else if self.judges_fail {
            pairs.extend([("Fault", "model"), ("Error", "out of order")]);
            Vec::new()
        } else {
            judged(&job.data).into_bytes()
        };
        self.world.send(wallet("worker"), self.herder, &pairs, data).unwrap();
    }

    fn board(&mut self, pool: Id) -> Vec<(String, u64, u64, String)> {
        let board = self.world.read(self.benchmark, &[("Action", "Leaderboard")], pool.to_string());
        let rows = board["leaderboard"].as_array().unwrap().iter();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        rows.map(|row| {
            let (correct, answered) = (row["correct"].as_u64().unwrap(), row["answered"].as_u64().unwrap());
            (text(row, "participant"), correct, answered, text(row, "status"))
        })
        .collect()
    }

    fn score(&mut self, documents: &str) -> Value {
        self.world.read(self.retrieval, &[("Action", "Score"), ("Model", documents)], "")
    }

    fn balance(&self, name: &str) -> u128 {
        balance(&self.world, self.token, wallet(name))
    }
}

#[test]
fn three_sets_of_documents_compete_from_funding_to_payout() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]);
    let [best, middle, worst] = [("ada", &BEST[..]), ("ben", &MIDDLE[..]), ("cleo", &WORST[..])]
        .map(|(name, contents)| contest.create(name, contents));
    for (name, documents) in [("cleo", &worst), ("ben", &middle), ("ada", &best)] {
        contest.join(pool, name, documents).unwrap();
    }
    contest.work();
    let names = ["ada", "ben", "cleo"].map(|name| wallet(name).to_string());
    let row = |place: usize, points: u64| (names[place].clone(), points, 3, "Complete".to_owned());
    assert_eq!(contest.board(pool), [row(0, 30), row(1, 15), row(2, 0)]);

    // The metrics of retrieval stand beside the points: both right documents come first, or one of three.
    let metrics = |score: &Value| {
        ["recall", "mrr", "ndcg_at_10"].map(|name| (score["retrieval"][name].as_f64().unwrap() * 1000.0).round() as u32)
    };
    assert_eq!(metrics(&contest.score(&best)), [1000, 1000, 1000]);
    assert_eq!(metrics(&contest.score(&middle)), [250, 500, 250]);
    assert_eq!(metrics(&contest.score(&worst)), [0, 0, 0]);

    // Question by question the first is ahead of the second: 10, 10 and 10 points beside 5, 0 and 10.
    let pairs = [("Action", "Compare"), ("Model", &*middle), ("Above", &*best)];
    let compared = contest.world.read(contest.retrieval, &pairs, "");
    assert_eq!(
        [&compared["questions"], &compared["difference"], &compared["above_more"], &compared["below_more"]],
        [&json!(3), &json!(5.0), &json!(2), &json!(0)],
        "{compared}"
    );

    // Nothing is paid before the end; then the two with points share the money two to one.
    contest.world.advance(2 * DAY_MS - HOUR_MS);
    assert_eq!((contest.balance("ada"), contest.balance("ben")), (0, 0));
    contest.world.advance(2 * HOUR_MS);
    let balances = ["ada", "ben", "cleo", "fiona"].map(|name| contest.balance(name));
    assert_eq!(balances, [400_000, 200_000, 0, 400_000]);
    let token = contest.token;
    let books = contest.world.tables(contest.benchmark, |store| audit(store, &token)).unwrap();
    assert_eq!(books.pools.len(), 1);
    assert_eq!((books.pools[0].paid_by_rule, books.pools[0].balance()), (Some(true), true), "{books:?}");
}

#[test]
fn several_judges_count_by_their_median_and_say_how_far_apart_they_are() {
    let mut contest = Contest::with_judges("3");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.join(pool, "ada", &best).unwrap();
    contest.work();
    let score = contest.score(&best);
    assert_eq!((&score["correct"], &score["mean_spread"]), (&json!(27), &json!(2.0)), "{score}");
}

#[test]
fn a_set_is_entered_by_who_created_it_once_and_only_where_sets_compete() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.join(pool, "mallory", &best).unwrap();
    assert!(contest.join_error("mallory").contains("belong to another"), "{}", contest.join_error("mallory"));
    contest.join(pool, "ada", &best).unwrap();
    contest.join(pool, "ada", &best.to_uppercase()).unwrap();
    assert!(contest.join_error("ada").contains("was entered into this pool by you"));
    contest.join(pool, "ben", &"0".repeat(40)).unwrap();
    assert!(contest.join_error("ben").contains("no dataset"), "{}", contest.join_error("ben"));
    contest.join(pool, "ben", &upload("a model").to_string()).unwrap();
    assert!(contest.join_error("ben").contains("documents compete"), "{}", contest.join_error("ben"));
}

#[test]
fn a_pool_that_asks_for_a_test_of_right_and_wrong_gets_its_money_back() {
    let mut contest = Contest::with_judges("1");
    contest.fund(&[("X-Ties", "significance")]);
    assert_eq!(contest.balance("fiona"), 1_000_000);
    let error = contest.world.newest(wallet("fiona"), "Pool-Error").expect("a reason");
    assert!(error.tag("Error").unwrap().contains("points"), "{error:?}");
}

#[test]
fn a_judge_that_fails_is_no_zero_and_is_asked_again() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.judges_fail = true;
    contest.join(pool, "ada", &best).unwrap();
    contest.work();
    let row = |answered, points, status: &str| vec![(wallet("ada").to_string(), points, answered, status.to_owned())];
    assert_eq!(contest.board(pool), row(0, 0, "Evaluating"));
    contest.judges_fail = false;
    contest.world.advance(2 * MINUTE_MS);
    contest.work();
    assert_eq!(contest.board(pool), row(3, 30, "Complete"));
}

#[test]
fn judges_that_never_answer_fail_the_entry_and_the_funder_is_paid_back() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.judges_fail = true;
    contest.join(pool, "ada", &best).unwrap();
    for _ in 0..60 {
        contest.work();
        contest.world.advance(10 * MINUTE_MS);
    }
    assert_eq!(contest.board(pool), [(wallet("ada").to_string(), 0, 0, "Failed".to_owned())]);
    contest.world.advance(4 * DAY_MS);
    assert_eq!((contest.balance("ada"), contest.balance("fiona")), (0, 1_000_000));
}

#[test]
fn documents_that_change_after_they_were_entered_end_the_evaluation() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.judges_fail = true;
    contest.join(pool, "ada", &best).unwrap();
    contest.work();
    // The same text, cut into other pieces, has the same name.
    let data = json!({ "dataset_hash": best }).to_string();
    contest.world.send(wallet("ada"), contest.knowledge, &[("Action", "Delete-Dataset")], data).unwrap();
    let joined = BEST.concat();
    assert_eq!(contest.create("ada", &[&joined]), best);
    contest.judges_fail = false;
    contest.world.advance(2 * MINUTE_MS);
    contest.work();
    let board = contest.board(pool);
    assert_eq!((board[0].1, board[0].3.as_str()), (0, "Failed"), "{board:?}");
}

#[test]
fn the_questions_are_shown_to_nobody_and_frozen_by_the_first_pool() {
    let mut contest = Contest::with_judges("1");
    contest.fund(&[]);
    let info = contest.world.read(contest.retrieval, &[("Action", "Info")], "");
    assert_eq!(
        (&info["questions"], &info["frozen"], &info["competitors"]),
        (&json!(3), &json!(true), &json!("documents"))
    );
    assert!(!info.to_string().contains("warm"));
    let load = contest.world.send(wallet("owner"), contest.retrieval, &[("Action", "Load-Data")], QUESTIONS);
    assert!(load.unwrap_err().contains("frozen"));
    for (data, part) in [
        ("", "no rows"),
        ("[{}]", "expected_response"),
        (r#"{"question":"a","expected_response":" "}"#, "row 1: the expected response is empty"),
        (r#"[{"question":"a","expected_response":"b","evidence":[""]}]"#, "evidence"),
    ] {
        let mut fresh = Contest::with_judges("1");
        let fault = fresh.world.send(wallet("owner"), fresh.retrieval, &[("Action", "Load-Data")], data).unwrap_err();
        assert!(fault.contains(part), "{data}: {fault}");
    }
}

#[test]
fn each_judgement_says_what_was_found_and_what_each_judge_said_and_the_questions_once_they_are_shown() {
    let mut contest = Contest::with_judges("3");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.join(pool, "ada", &best).unwrap();
    contest.work();
    let results = |contest: &mut Contest| {
        contest
            .world
            .read(contest.retrieval, &[("Action", "Results"), ("Model", &best)], "")
            .as_array()
            .unwrap()
            .clone()
    };
    let first = results(&mut contest).remove(0);
    assert_eq!((&first["scores"], &first["score"], &first["spread"]), (&json!([10, 9, 8]), &json!(9), &json!(2)));
    assert_eq!((&first["found"][0][0], &first["asked"], &first["evidence"]), (&json!(1), &Value::Null, &Value::Null));
    let content = |contest: &mut Contest, numbers: &str| {
        let pairs = [("Action", "Get-Documents"), ("Dataset-Hash", &*best), ("Numbers", numbers)];
        contest.world.read(contest.knowledge, &pairs, "")
    };
    assert_eq!(content(&mut contest, "2,9,1")[1]["content"], BEST[0]);

    // While the pool takes sets, or waits for evaluations, not even its owner shows them.
    let show = |contest: &mut Contest, who: &str| {
        contest.world.send(wallet(who), contest.retrieval, &[("Action", "Show-Questions")], "")
    };
    assert!(show(&mut contest, "owner").unwrap_err().contains("goes on"));
    contest.world.advance(2 * DAY_MS);
    assert!(show(&mut contest, "owner").unwrap_err().contains("goes on"), "evaluations are waited for");
    contest.world.advance(7 * DAY_MS);
    assert!(show(&mut contest, "ada").unwrap_err().contains("the owner of this process"));
    show(&mut contest, "owner").unwrap();
    let first = results(&mut contest).remove(0);
    assert_eq!((&first["asked"], &first["expected_response"]), (&json!("sun"), &json!("warm bright")));
    assert_eq!(first["evidence"], json!(["the sun is warm", "bright sun"]));

    // What everybody knows is no contest any more: a new pool is refused, and its money goes back.
    let pool = upload("a new pool").to_string();
    let tags = [("Action", "Freeze-Dataset"), ("Pool", pool.as_str())];
    let refused = contest.world.send_from_process(contest.benchmark, contest.retrieval, &tags, "").unwrap();
    let answer = &refused.messages[0];
    assert_eq!(answer.tags.get("Action"), Some("Dataset-Error"));
    assert!(answer.tags.get("Error").unwrap().contains("public"), "{answer:?}");
}

#[test]
fn an_evaluation_that_runs_says_how_far_it_is() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]).to_string();
    let best = contest.create("ada", &BEST);
    contest.judges_fail = true;
    contest.join(pool.parse().unwrap(), "ada", &best).unwrap();
    contest.work();
    let progress = contest.world.read(contest.retrieval, &[("Action", "Progress"), ("Pool", &pool)], "");
    assert_eq!(
        (&progress[0]["model"], &progress[0]["answered"], &progress[0]["total"]),
        (&json!(best), &json!(0), &json!(3))
    );
    contest.judges_fail = false;
    contest.world.advance(2 * MINUTE_MS);
    contest.work();
    let progress = contest.world.read(contest.retrieval, &[("Action", "Progress"), ("Pool", &pool)], "");
    assert_eq!(progress, json!([]), "what is complete does not run");
}

#[test]
fn strangers_can_neither_find_nor_judge() {
    let mut contest = Contest::with_judges("1");
    let pool = contest.fund(&[]);
    let best = contest.create("ada", &BEST);
    contest.join(pool, "ada", &best).unwrap();
    for (action, reference) in [("Search-Prompt-Response", "s/1/1/1"), ("Inference-Response", "j/1/1/1#0")] {
        let pairs = [("Action", action), ("Reference", reference)];
        let fault = contest.world.send(wallet("mallory"), contest.retrieval, &pairs, "10").unwrap_err();
        assert!(fault.contains("for the"), "{fault}");
    }
    for action in ["Freeze-Dataset", "Inspect-Model", "Benchmark"] {
        let pool = pool.to_string();
        let pairs = [("Action", action), ("Pool", &*pool), ("Model", &*best), ("Content-Hash", "c")];
        let outcome = contest.world.send(wallet("mallory"), contest.retrieval, &pairs, "");
        assert!(outcome.is_err() || outcome.unwrap().output.error.is_some(), "{action}");
    }
}
