//! The pages of sets of documents, of the questions that they compete on, and of the judge: with every process real, and a
//! worker that the test plays.

use std::time::Duration;

use ao::wallet::WalletKind;
use ao::{DataItem, Id, Tags, Wallet};
use node::GenesisProcess;
use processes::knowledge::name;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

#[path = "../../../processes/tests/library/weather.rs"]
mod weather;

use self::weather::{BEST, MIDDLE, QUESTIONS, embedded, file_hash, judged};
use crate::running::Running;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Longer than a page keeps an answer while its process comes further.
const KEPT: Duration = Duration::from_millis(600);

/// A pool of documents, who takes part, and how far the worker has read its inbox.
struct Contest {
    running: Running,
    worker: Wallet,
    trainers: [Wallet; 2],
    pool: Id,
    read: u64,
    anchor: u8,
}

fn wallet() -> Wallet {
    Wallet::generate(WalletKind::Ed25519).unwrap()
}

fn hash_of(contents: &[&str]) -> String {
    name(contents.iter().copied())
}

impl Contest {
    async fn start() -> Self {
        let worker = wallet();
        let (address, model) = (worker.address().to_string(), Id::new([7; 32]).to_string());
        let running = Running::with(|config| {
            let owner = config.genesis.processes[0].owner;
            let process = |name: &str, tags: Tags| {
                let (name, module) = (name.to_owned(), name.to_owned());
                GenesisProcess { name, module, tags, owner, ..GenesisProcess::default() }
            };
            let herder = Tags::new().with("Workers", address).with("Lease-Seconds", "3600");
            let knowledge = Tags::new().with("Herder", "${herder}").with("Model", model).with("File-Hash", file_hash());
            let retrieval = Tags::new().with("Herder", "${herder}").with("Knowledge", "${knowledge}");
            let retrieval = retrieval.with("Benchmark", "${benchmark}").with("Judges", "3").with("Title", "Weather");
            config.genesis.processes.extend([
                process("benchmark", Tags::new().with("Token", "${token}")),
                process("herder", herder),
                process("knowledge", knowledge),
                process("retrieval", retrieval),
            ]);
        })
        .await;
        let trainers = [wallet(), wallet()];
        let mut contest = Self { running, worker, trainers, pool: Id::default(), read: 0, anchor: 0 };
        let owner = contest.running.wallet.clone();
        contest.say(&owner, "retrieval", &[("Action", "Load-Data")], QUESTIONS.to_owned()).await;
        contest.fund(&owner).await;
        contest.pass(HOUR).await;
        let worker = contest.worker.clone();
        let tags = [("Action", "Register-Worker"), ("WorkerType", "Embed,Evaluate"), ("Capacity", "64")];
        contest.say(&worker, "herder", &tags, String::new()).await;
        contest
    }

    async fn fund(&mut self, owner: &Wallet) {
        let [benchmark, retrieval] = ["benchmark", "retrieval"].map(|name| self.process(name).to_string());
        let tags = [
            ("Action", "Transfer"),
            ("Recipient", benchmark.as_str()),
            ("Quantity", "900"),
            ("X-Dataset", &retrieval),
            ("X-Allocation", "Proportional"),
        ];
        self.say(owner, "token", &tags, String::new()).await;
        let pools = self.running.get("/pools.json").await.json;
        self.pool = pools["sections"][0]["pools"][0]["id"].as_str().unwrap().parse().unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.running.node.advance(time).await.unwrap();
        self.running.node.idle().await;
    }

    fn process(&self, name: &str) -> Id {
        self.running.node.process(name).unwrap()
    }

    /// Sends a message in the name of a wallet, and waits until everything that follows is done.
    async fn say(&mut self, from: &Wallet, target: &str, tags: &[(&str, &str)], data: String) {
        self.anchor += 1;
        let standard = [("Data-Protocol", "ao"), ("Type", "Message"), ("Variant", "ao.TN.1")];
        let tags = standard.iter().chain(tags).map(|(name, value)| ao::Tag::new(*name, *value)).collect();
        let target = Some(self.process(target));
        let item = DataItem::sign(from, target, Some([self.anchor; 32]), tags, data.into_bytes()).unwrap();
        assert_eq!(self.running.post("/", item.to_bytes()).await.status, 202);
        self.running.node.idle().await;
    }

    /// Creates a set and enters it; its vectors are made, and all its questions judged.
    async fn enter(&mut self, trainer: usize, contents: &[&str]) -> String {
        let hash = self.create(trainer, contents).await;
        self.join(trainer, &hash).await;
        self.work().await;
        hash
    }

    /// Creates a set; its vectors are made.
    async fn create(&mut self, trainer: usize, contents: &[&str]) -> String {
        let (trainer, hash) = (self.trainers[trainer].clone(), hash_of(contents));
        let list: Vec<Value> = contents.iter().map(|content| json!({ "content": content })).collect();
        let set = json!({ "hash": hash, "list": list }).to_string();
        self.say(&trainer, "knowledge", &[("Action", "Create-Dataset")], set).await;
        self.work().await;
        hash
    }

    /// Enters a set, of which nothing is judged yet.
    async fn join(&mut self, trainer: usize, hash: &str) {
        let (trainer, entry) = (self.trainers[trainer].clone(), json!({ "dataset": self.pool, "documents": hash }));
        self.say(&trainer, "benchmark", &[("Action", "Join-Pool")], entry.to_string()).await;
    }

    /// The worker answers all jobs, also those that follow.
    async fn work(&mut self) {
        loop {
            let path = format!("/inbox/{}?from={}", self.worker.address(), self.read);
            let page = self.running.get(&path).await.json;
            self.read = page["next"].as_u64().unwrap();
            let messages = page["messages"].as_array().unwrap().clone();
            if messages.is_empty() {
                return;
            }
            for message in messages {
                let tag = |name: &str| {
                    let tags = message["tags"].as_array().unwrap();
                    let found = tags.iter().find(|tag| tag["name"] == name);
                    found.map(|tag| tag["value"].as_str().unwrap().to_owned()).unwrap_or_default()
                };
                if tag("Action") == "Inference" {
                    let (job, attempt) = (tag("Job"), tag("Attempt"));
                    let data = message["data"].as_str().unwrap().as_bytes();
                    let embeds = tag("WorkerType") == "Embed";
                    let answer = if embeds { String::from_utf8(embedded(data)).unwrap() } else { judged(data) };
                    let tags = [("Action", "Inference-Response"), ("Job", job.as_str()), ("Attempt", &attempt)];
                    let worker = self.worker.clone();
                    self.say(&worker, "herder", &tags, answer).await;
                }
            }
        }
    }

    /// A page as it is now, and not as it was a moment ago.
    async fn page(&self, path: &str) -> String {
        tokio::time::sleep(KEPT).await;
        let answer = self.running.send(self.running.request(Method::GET, path).header(ACCEPT, "text/html")).await;
        let html = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {html}");
        assert!(!html.contains("<script>alert"), "{path}: what strangers write is text");
        html
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.running.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
        answer.json
    }

    /// What a process answers.
    async fn ask(&self, process: &str, tags: &[(&str, &str)]) -> Value {
        let process = self.process(process);
        let tags: Vec<Value> = tags.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let message = json!({
            "Id": "1", "Owner": "1", "Target": process, "Anchor": "0", "Data": self.pool.to_string(), "Tags": tags,
        });
        let answer = self.running.post(&format!("/dry-run?process-id={process}"), message.to_string()).await;
        serde_json::from_str(answer.json["Output"]["data"].as_str().unwrap()).unwrap()
    }
}

fn assert_shows(html: &str, texts: &[&str]) {
    for text in texts {
        assert!(html.contains(text), "no '{text}' in {html}");
    }
}

#[tokio::test]
async fn an_entry_of_documents_has_its_points_its_judges_and_what_was_found() {
    let mut contest = Contest::start().await;
    let best = contest.enter(0, &BEST).await;
    contest.enter(1, &MIDDLE).await;
    let pool = contest.pool;

    // The page, its JSON and the processes say the same.
    let path = format!("/pool/{pool}/entry/{best}");
    let (html, data) = (contest.page(&path).await, contest.json(&format!("{path}.json")).await);
    let board = contest.ask("benchmark", &[("Action", "Leaderboard")]).await;
    let score = contest.ask("retrieval", &[("Action", "Score"), ("Model", &best)]).await;
    let results = contest.ask("retrieval", &[("Action", "Results"), ("Model", &best)]).await;
    let line = &board["leaderboard"][0];
    for field in ["model", "rank", "correct", "answered", "total", "points", "score", "interval", "payout_if_ended"] {
        assert_eq!(data["entry"][field], line[field], "{field}");
    }
    assert_eq!((&data["judged"], &data["results"]), (&score, &results));
    assert_eq!((&line["correct"], &line["points"], &score["mean_spread"]), (&json!(27), &json!(10), &json!(2.0)));
    assert_eq!(
        (&results[0]["scores"], &results[0]["spread"], &results[0]["ranks"]),
        (&json!([10, 9, 8]), &json!(2), &json!([1, 1]))
    );
    assert_eq!(results[1]["found"][0][0], 2, "the second document is about rain: {results}");
    let [low, high] = [0, 1].map(|end| line["interval"][end].as_f64().unwrap() * 100.0);
    let similarity = format!("{:.3}", results[1]["found"][0][1].as_f64().unwrap());
    assert_shows(
        &html,
        &[
            "27 of 30",
            "90.0 %",
            &format!("{low:.1} to {high:.1} %"),
            "9.00 of 10",
            "2.00 points apart",
            "Recall@5",
            "100.0 %",
            "MRR",
            "nDCG@10",
            "10 9 8",
            &similarity,
            &best,
            score["retrieval"]["mrr"].as_f64().map(|mrr| format!("{mrr:.3}")).unwrap().as_str(),
            data["about"]["judge_protocol"].as_str().unwrap(),
            "The questions are hidden",
        ],
    );
    assert!(!html.contains("warm") && !data.to_string().contains("warm"), "no word of a hidden question");
    let csv = String::from_utf8(contest.running.get(&format!("{path}.csv")).await.body).unwrap();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(csv.contains("\r\n1,answered,9,2,10 9 8,1 1,"), "{csv}");

    // The board counts in points.
    let page = contest.page(&format!("/pool/{pool}")).await;
    assert_shows(&page, &["27 of 30", "3 of 3", "Sets of documents can be entered", &format!("/entry/{best}"), "HASH"]);
    let csv = String::from_utf8(contest.running.get(&format!("/pool/{pool}.csv")).await.body).unwrap();
    assert!(
        csv.lines().nth(1).unwrap().contains(&format!(",{best},")) && csv.lines().nth(1).unwrap().ends_with(",10"),
        "{csv}"
    );
    assert_eq!(contest.running.get(&format!("/pool/{pool}/entry/{}", "0".repeat(40))).await.status, 404);
}

#[tokio::test]
async fn an_entry_of_documents_says_how_far_the_one_above_is_ahead() {
    let mut contest = Contest::start().await;
    let best = contest.enter(0, &BEST).await;
    let middle = contest.enter(1, &MIDDLE).await;
    let path = format!("/pool/{}/entry/{middle}", contest.pool);
    // 9, 9 and 9 points are beside 4, 0 and 9.
    let data = contest.json(&format!("{path}.json")).await;
    let comparison = &data["comparison"];
    assert_eq!(
        (&comparison["questions"], &comparison["above_more"], &comparison["below_more"]),
        (&json!(3), &json!(2), &json!(0))
    );
    assert_shows(
        &contest.page(&path).await,
        &[
            "Rank 1 is",
            &format!("/entry/{best}"),
            "has +4.67 points for each question (95 % interval −6.54 to +15.87)",
            "It has more on 2, this one on 0",
            "cannot be told apart by these questions (exact sign test, p = 0.500)",
        ],
    );
    let first = format!("/pool/{}/entry/{best}", contest.pool);
    assert!(!contest.page(&first).await.contains("Beside the entry above"), "nothing is above the first");
}

#[tokio::test]
async fn whoever_watches_a_board_sees_the_last_change_also_if_others_looked_at_it_just_before() {
    let mut contest = Contest::start().await;
    let [best, middle] = [contest.create(0, &BEST).await, contest.create(1, &MIDDLE).await];
    let path = format!("/pool/{}", contest.pool);
    let mut events = contest.running.request(Method::GET, &format!("{path}/events")).send().await.unwrap();
    // The watcher has seen everything that there was.
    tokio::time::sleep(3 * KEPT).await;
    contest.join(0, &best).await;
    tokio::time::sleep(KEPT / 2).await;
    contest.json(&format!("{path}.json")).await;
    tokio::time::sleep(KEPT / 3).await;
    contest.join(1, &middle).await;
    let mut seen = String::new();
    let all = async {
        while !(seen.contains(&format!("/entry/{best}")) && seen.contains(&format!("/entry/{middle}"))) {
            seen.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
        }
    };
    assert!(tokio::time::timeout(10 * KEPT, all).await.is_ok(), "the second set never came");
}

#[tokio::test]
async fn a_funder_who_comes_from_a_dataset_finds_it_chosen() {
    let contest = Contest::start().await;
    let retrieval = contest.process("retrieval");
    assert_shows(&contest.page(&format!("/dataset/{retrieval}")).await, &[&format!("/fund?dataset={retrieval}")]);
    let chosen = format!("<option value=\"{retrieval}\" selected>Weather, 3 questions for sets of documents");
    assert_shows(&contest.page(&format!("/fund?dataset={retrieval}")).await, &[&chosen]);
    assert!(!contest.page("/fund").await.contains("selected"));
    assert_eq!(contest.running.get("/fund?dataset=x").await.status, 400);
}

#[tokio::test]
async fn sets_are_created_where_sets_are_kept_and_within_limits_that_are_said() {
    let contest = Contest::start().await;
    let (knowledge, token) = (contest.process("knowledge"), contest.process("token"));
    let limits = "At most 100000 documents of at most 32.8 kB each, and 10.5 MB in all.";
    let (form, kept) = (format!("data-knowledge=\"{knowledge}\""), "data-list-bytes=\"10481664\"");
    assert_shows(&contest.page("/documents").await, &["There is no set yet", &form, limits, kept]);
    assert_shows(
        &contest.page(&format!("/pool/{}/join", contest.pool)).await,
        &["Create and join", &form, limits, kept],
    );
    // A link that names another process does not make anybody send documents to it.
    for path in [format!("/documents?knowledge={token}"), format!("/documents/{}?knowledge={token}", "0".repeat(40))] {
        let answer = contest.running.get(&path).await;
        assert_eq!((answer.status, answer.json["error"].as_str().unwrap().contains("keeps no documents")), (404, true));
    }
    assert_shows(
        &contest.page(&format!("/explorer/{knowledge}")).await,
        &[&format!("/documents?knowledge={knowledge}")],
    );
}

#[tokio::test]
async fn a_board_of_documents_has_its_days() {
    let mut contest = Contest::start().await;
    contest.enter(0, &BEST).await;
    for _ in 0..3 {
        contest.pass(DAY).await;
    }
    let path = format!("/pool/{}", contest.pool);
    let days = contest.json(&format!("{path}.json")).await["days"].clone();
    assert!(days[hash_of(&BEST)].as_array().unwrap().len() > 1, "{days}");
    assert_shows(&contest.page(&path).await, &["90.0 % on "]);
}

#[tokio::test]
async fn a_set_has_a_page_with_its_vectors_and_where_it_competes() {
    let mut contest = Contest::start().await;
    let best = contest.enter(0, &BEST).await;
    let owner = contest.trainers[0].address().to_string();
    let (html, data) =
        (contest.page(&format!("/documents/{best}")).await, contest.json(&format!("/documents/{best}.json")).await);
    let sets = contest.ask("knowledge", &[("Action", "Get-Datasets"), ("Dataset-Hash", &best)]).await;
    assert_eq!(data["set"], sets[0]);
    assert_shows(
        &html,
        &[&best, &owner, "3 of 3 documents have one", &file_hash(), "27 of 30", sets[0]["digest"].as_str().unwrap()],
    );
    // A set whose vectors nobody has made yet.
    let trainer = contest.trainers[1].clone();
    let set =
        json!({ "hash": hash_of(&MIDDLE), "list": MIDDLE.map(|content| json!({ "content": content })) }).to_string();
    contest.say(&trainer, "knowledge", &[("Action", "Create-Dataset")], set).await;
    let html = contest.page(&format!("/documents/{}", hash_of(&MIDDLE))).await;
    assert_shows(&html, &["3 wait for their vectors", "It was entered in no pool yet"]);
    let list = contest.page("/documents").await;
    assert_shows(&list, &["2 sets", "3 of them (50.0 %) wait", &best]);
    assert_eq!(contest.json("/documents.json").await["sets"].as_array().unwrap().len(), 2);
    for (path, status) in [(format!("/documents/{}", "0".repeat(40)), 404), (format!("/documents/{owner}"), 400)] {
        assert_eq!(contest.running.get(&path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn questions_are_hidden_until_their_owner_shows_them_after_the_last_pool() {
    let mut contest = Contest::start().await;
    let middle = contest.enter(1, &MIDDLE).await;
    let owner = contest.running.wallet.clone();
    let retrieval = contest.process("retrieval");
    let dataset = format!("/dataset/{retrieval}");
    assert_shows(
        &contest.page(&dataset).await,
        &["3 hidden questions", "3 judges read the first 5 documents", "Weather", "13 of 30"],
    );
    assert_eq!(contest.json(&format!("{dataset}.json")).await["about"]["shown"], false);
    contest.say(&owner, "retrieval", &[("Action", "Show-Questions")], String::new()).await;
    let path = format!("/pool/{}/entry/{middle}", contest.pool);
    assert!(!contest.page(&path).await.contains("warm"), "the pool is open");

    contest.pass(40 * DAY).await;
    contest.say(&contest.trainers[0].clone(), "retrieval", &[("Action", "Show-Questions")], String::new()).await;
    assert!(!contest.page(&path).await.contains("warm"), "a stranger shows nothing");
    contest.say(&owner, "retrieval", &[("Action", "Show-Questions")], String::new()).await;
    let html = contest.page(&path).await;
    assert_shows(&html, &["warm bright", "the sun is warm", "bright sun", "rain falls &#60;script&#62;", "Paid"]);
    assert_shows(&contest.page(&dataset).await, &["3 questions", "no further pool"]);
}

#[tokio::test]
async fn the_judge_shows_what_it_is_told_and_under_which_protocol() {
    let contest = Contest::start().await;
    let (html, data) = (contest.page("/judge").await, contest.json("/judge.json").await);
    assert_eq!((&data["protocol"], data["prompts"].as_array().unwrap().len()), (&json!(tasks::judge::protocol()), 5));
    assert_shows(&html, &[&tasks::judge::protocol(), "Score from 0 to 10:", "| (the question)"]);
}
