//! The package registry: what a client of APM publishes, finds and gets, and whose a name is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use ao::Id;
use harness::{Letter, World, wallet};
use processes::packages::limits::{OWNER_BYTES_MAX, SOURCE_BYTES_MAX};
use serde_json::{Value, json};

struct Registry {
    world: World,
    id: Id,
}

impl Registry {
    fn new() -> Self {
        let mut world = World::new();
        let first = json!([{ "name": "@sam/Llama-Herder", "version": "1.0.3", "source": "return 'llama'" }]);
        let id = world.spawn("packages", wallet("owner"), &[("Name", "Registry")], &first.to_string());
        Self { world, id }
    }

    /// What the registry answers somebody: the action, and the message.
    fn ask(&mut self, from: &str, pairs: &[(&str, &str)], data: &str) -> Letter {
        self.world.send(wallet(from), self.id, pairs, data).unwrap();
        self.world.inbox(wallet(from)).last().unwrap().clone()
    }

    fn publish(&mut self, from: &str, vendor: &str, name: &str, version: &str, source: &str) -> Result<(), String> {
        let data = json!({ "source": source, "readme": "# Read me" }).to_string();
        let pairs = [
            ("Action", "APM.Publish"),
            ("Vendor", vendor),
            ("Name", name),
            ("Version", version),
            ("Description", "A package"),
        ];
        let answer = self.ask(from, &pairs, &data);
        let text = answer.text().to_owned();
        if answer.action() == "APM.PublishResponse" { Ok(()) } else { Err(text) }
    }

    /// The source of a package, or the reason why it is not given.
    fn download(&mut self, name: &str) -> Result<(String, String), String> {
        let answer = self.ask("reader", &[("Action", "APM.Download"), ("Reference", "7")], name);
        assert_eq!((answer.from, answer.tag("X-Reference")), (self.id, Some("7")));
        if answer.action() == "APM.Error" {
            assert_eq!(answer.tag("Result"), Some("error"));
            return Err(answer.text().to_owned());
        }
        assert_eq!((answer.action(), answer.tag("Result")), ("APM.DownloadResponse", Some("success")));
        assert!(serde_json::from_str::<Value>(answer.tag("Dependencies").unwrap()).unwrap().is_object());
        Ok((unhexed(answer.text()), answer.tag("Version").unwrap().to_owned()))
    }

    fn rows(&mut self, action: &str, data: &str) -> Vec<String> {
        let answer = self.ask("reader", &[("Action", action)], data);
        let rows: Vec<Value> = serde_json::from_str(answer.text()).unwrap();
        rows.iter()
            .map(|row| format!("{}/{}", row["Vendor"].as_str().unwrap(), row["Name"].as_str().unwrap()))
            .collect()
    }
}

fn unhexed(digits: &str) -> String {
    let bytes = digits.as_bytes().chunks(2);
    let bytes = bytes.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_is_published_is_found_and_downloaded() {
    let mut registry = Registry::new();
    assert_eq!(registry.download("@sam/Llama-Herder"), Ok(("return 'llama'".to_owned(), "1.0.3".to_owned())));
    registry.publish("alice", "@alice", "tool", "1.9.0", "return 1 -- ü").unwrap();
    registry.publish("alice", "@alice", "tool", "1.10.0", "return 2").unwrap();
    assert_eq!(registry.download("@alice/tool"), Ok(("return 2".to_owned(), "1.10.0".to_owned())));
    assert_eq!(registry.download("@alice/tool@1.9.0"), Ok(("return 1 -- ü".to_owned(), "1.9.0".to_owned())));
    let error = registry.download("@alice/tool@2.0.0").unwrap_err();
    assert_eq!(error, "there is no package '@alice/tool@2.0.0' here");
    assert!(registry.download("@alice/to ol").unwrap_err().contains("is no name of a package"));

    let info = registry.ask("reader", &[("Action", "APM.Info")], "@alice/tool");
    let info: Value = serde_json::from_str(info.text()).unwrap();
    assert_eq!((&info["Version"], &info["TotalInstalls"]), (&json!("1.10.0"), &json!(2)));
    assert_eq!(unhexed(info["Readme"].as_str().unwrap()), "# Read me");
    let versions: Vec<&str> =
        info["Versions"].as_array().unwrap().iter().map(|version| version["Version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["1.10.0", "1.9.0"]);
    let by_id = format!("@alice/tool@{}", info["Versions"][1]["PkgID"].as_str().unwrap());
    assert_eq!(registry.download(&by_id).unwrap().1, "1.9.0");

    assert_eq!(registry.rows("APM.Search", "TOO"), ["@alice/tool"]);
    assert_eq!(registry.rows("APM.Search", "nothing"), [""; 0]);
    assert_eq!(registry.rows("APM.List", ""), ["@sam/Llama-Herder", "@alice/tool"]);
    assert_eq!(registry.rows("APM.Popular", ""), ["@alice/tool", "@sam/Llama-Herder"]);
    assert_eq!(registry.rows("APM.VendorOrAddressPackages", "@sam"), ["@sam/Llama-Herder"]);
    assert_eq!(registry.rows("APM.VendorOrAddressPackages", &wallet("alice").to_string()), ["@alice/tool"]);
}

#[test]
fn a_name_belongs_to_its_first_publisher() {
    let mut registry = Registry::new();
    assert!(registry.publish("eve", "@sam", "other", "1.0.0", "return 1").unwrap_err().contains("@sam belongs to"));
    registry.publish("alice", "@apm", "tool", "1.0.0", "return 1").unwrap();
    let error = registry.publish("eve", "@apm", "tool", "2.0.0", "return 'evil'").unwrap_err();
    assert!(error.contains("the package @apm/tool belongs to"), "{error}");
    assert_eq!(registry.download("tool").unwrap().0, "return 1");
    let error = registry.publish("alice", "@apm", "tool", "1.0.0", "return 2").unwrap_err();
    assert_eq!(error, "the newest version of @apm/tool is 1.0.0, and a new one must be higher than that");

    registry.ask("bob", &[("Action", "APM.RegisterVendor")], "bob");
    assert!(registry.publish("eve", "@bob", "tool", "1.0.0", "return 1").is_err());
    registry.publish("bob", "@bob", "tool", "1.0.0", "return 1").unwrap();

    let eve = wallet("eve").to_string();
    let give = [("Action", "APM.Transfer"), ("Name", "tool"), ("Recipient", eve.as_str())];
    assert_eq!(registry.ask("eve", &give, "").action(), "APM.Error");
    assert_eq!(registry.ask("alice", &give, "").action(), "APM.TransferResponse");
    registry.publish("eve", "@apm", "tool", "1.0.1", "return 3").unwrap();
    assert!(registry.publish("alice", "@apm", "tool", "1.0.2", "return 1").is_err());
}

#[test]
fn the_client_is_given_with_the_id_of_its_registry() {
    let mut registry = Registry::new();
    let answer = registry.ask("process", &[("Action", "APM.Update")], "");
    assert_eq!((answer.action(), answer.tag("Version")), ("APM.UpdateResponse", Some("1.0.0")));
    let client = unhexed(answer.text());
    assert!(client.contains(&format!("APM.ID = \"{}\"", registry.id)), "{client:.400}");
    let error = registry.publish("eve", "@apm", "apm", "9.0.0", "evil()").unwrap_err();
    assert!(error.starts_with("Publishing @apm/apm is for the owner of the registry only"), "{error}");
    registry.publish("owner", "@apm", "apm", "1.1.0", "APM = { ID = 'REGISTRY_ID' }").unwrap();
    let answer = registry.ask("process", &[("Action", "APM.Update")], "");
    assert_eq!((answer.tag("Version"), answer.tag("LatestClientVersion")), (Some("1.1.0"), Some("1.1.0")));
    assert_eq!(unhexed(answer.text()), format!("APM = {{ ID = '{}' }}", registry.id));
}

#[test]
fn what_cannot_be_published_is_refused_with_its_reason() {
    let mut registry = Registry::new();
    for (vendor, name, version, source, reason) in [
        ("@Alice", "tool", "1.0.0", "return 1", "is no name of a vendor"),
        ("@alice", "to/ol", "1.0.0", "return 1", "is no name of a package"),
        ("@alice", "tool", "1.0", "return 1", "is no version"),
        ("@alice", "tool", "1.0.0", " ", "the package has no source"),
        ("@alice", "tool", "1.0.0", &"x".repeat(SOURCE_BYTES_MAX + 1), "the source has 262145 bytes"),
    ] {
        let error = registry.publish("alice", vendor, name, version, source).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let pairs =
        [("Action", "APM.Publish"), ("Name", "tool"), ("Version", "1.0.0"), ("Dependencies", "\"@sam/Llama-Herder\"")];
    let answer = registry.ask("alice", &pairs, r#"{"source":"return 1"}"#);
    assert!(answer.text().contains("it is a JSON map"), "{}", answer.text());
    assert_eq!(registry.rows("APM.List", ""), ["@sam/Llama-Herder"]);

    let large = "x".repeat(SOURCE_BYTES_MAX);
    let fitting = OWNER_BYTES_MAX / (large.len() as u64 + 32);
    for patch in 0..fitting {
        registry.publish("alice", "@alice", "tool", &format!("1.0.{patch}"), &large).unwrap();
    }
    let error = (0..2).map(|patch| registry.publish("alice", "@alice", "tool", &format!("2.0.{patch}"), &large));
    let error = error.collect::<Result<Vec<_>, _>>().unwrap_err();
    assert!(error.contains("has published"), "{error}");
    registry.publish("bob", "@bob", "tool", "1.0.0", "return 1").unwrap();
}

#[test]
fn a_dry_run_counts_no_install() {
    let mut registry = Registry::new();
    let info = registry.world.read(registry.id, &[("Action", "Info")], "");
    assert_eq!((&info["packages"], &info["installs"], &info["name"]), (&json!(1), &json!(0), &json!("Registry")));
    registry.download("@sam/Llama-Herder").unwrap();
    let info = registry.world.read(registry.id, &[("Action", "Info")], "");
    assert_eq!(info["installs"], 1);
    let error = registry.world.send(wallet("alice"), registry.id, &[("Action", "Dance")], "").unwrap_err();
    assert!(error.contains("it has Info, APM.Publish"), "{error}");
}
