//! The console of native processes. `aos` sends each line that is typed as an Eval message; a native process runs no Lua,
//! so a line is read as a message to it, and its answer is what is printed.

mod line;

use ao::{Effects, Message, Output};
use processes::{Env, Fault, Module, Store};
use serde_json::json;

use self::line::Line;

/// The action of what is typed.
const EVAL: &str = "Eval";

/// The version that native processes tell: with this one `aos` does not offer to replace the Lua in them.
const VERSION: &str = "dev";

/// Handles a message by the module of its process, one that was typed too.
pub(crate) fn handle(
    module: &dyn Module,
    store: &mut Store<'_>,
    message: &Message,
    env: &Env,
) -> Result<Effects, Fault> {
    if message.action() != EVAL {
        return module.handle(store, message, env);
    }
    let typed = message.text().unwrap_or_default();
    let (shown, effects) = match line::read(typed, &env.process) {
        Some(Line::Version) => (VERSION.to_owned(), Effects::none()),
        Some(Line::Help) => (help(module.name()), Effects::none()),
        Some(Line::Message { tags, data }) => {
            let asked = Message { tags, data, ..message.clone() };
            let effects = module.handle(store, &asked, env)?;
            (shown(&effects, message), effects)
        }
        None => return Err(Fault::Refused(help(module.name()))),
    };
    let name = env.tags.get("Name").unwrap_or(module.name());
    let prompt = format!("{name}> ");
    let raw = json!({ "data": shown, "prompt": prompt, "print": false });
    Ok(Effects { output: Output { data: shown, error: effects.output.error.clone(), raw: Some(raw) }, ..effects })
}

/// What the sender is to read: the output, and if there is none the messages to him.
fn shown(effects: &Effects, message: &Message) -> String {
    let Output { data, error, raw: _ } = &effects.output;
    let mut lines: Vec<String> = Some(data.clone()).into_iter().filter(|data| !data.is_empty()).collect();
    lines.extend(error.iter().map(|error| format!("error: {error}")));
    if lines.is_empty() {
        for answer in effects.messages.iter().filter(|answer| answer.target == message.from) {
            lines.extend(answer.tags.iter().map(|tag| format!("{}: {}", tag.name, tag.value)));
            lines.extend(Some(String::from_utf8_lossy(&answer.data).into_owned()).filter(|data| !data.is_empty()));
        }
    }
    if lines.is_empty() { "done".to_owned() } else { lines.join("\n") }
}

fn help(module: &str) -> String {
    format!(
        "this process is native (module '{module}'): it runs no Lua. Type an action with its tags, such as  Info  or  \
         Balance Recipient=ADDRESS  or  Send({{ Action = \"Info\" }})"
    )
}

#[cfg(test)]
mod tests {
    use ao::{Id, MessageKind, Outgoing, Tags};
    use processes::{Database, Memo};

    use super::*;

    /// Answers with the action and the data of what it was asked.
    struct Echo;

    impl Module for Echo {
        fn name(&self) -> &'static str {
            "echo"
        }

        fn spawn(&self, _: &mut Store<'_>, _: &Message, _: &Env) -> Result<Effects, Fault> {
            Ok(Effects::none())
        }

        fn handle(&self, _: &mut Store<'_>, message: &Message, _: &Env) -> Result<Effects, Fault> {
            match message.action() {
                "Silent" => Ok(Effects::none()),
                "Answer" => Ok(Effects::message(Outgoing::new(message.from, "Reply").data("for you"))),
                action => Ok(Effects::output(format!("{action}: {}", message.tag("Note").unwrap_or_default()))),
            }
        }
    }

    fn typed(text: &str) -> Result<Effects, Fault> {
        let database = Database::new(rusqlite::Connection::open_in_memory().unwrap(), Memo::new(0)).unwrap();
        let (process, wallet) = (Id::new([1; 32]), Id::new([2; 32]));
        let env = Env { process, owner: wallet, tags: Tags::new().with("Name", "Pool"), node: Id::new([3; 32]) };
        let message = Message {
            id: Id::new([4; 32]),
            from: wallet,
            owner: wallet,
            target: process,
            kind: MessageKind::Item,
            slot: 1,
            timestamp_ms: 1,
            block_height: 1,
            pushed_for: Id::new([4; 32]),
            anchor: String::new(),
            tags: Tags::new().with("Action", "Eval"),
            data: text.as_bytes().to_vec(),
            read_only: false,
        };
        database.handle(|store| handle(&Echo, store, &message, &env))
    }

    #[test]
    fn aos_connects_and_reads_answers() {
        for (text, expected) in [
            ("require('.process')._version", "dev"),
            ("Info", "Info: "),
            ("Info Note=\"two words\"", "Info: two words"),
            ("Send({ Target = ao.id, Action = 'Info', Note = 7 })", "Info: 7"),
            ("Answer", "Action: Reply\nfor you"),
            ("Silent", "done"),
        ] {
            let output = typed(text).unwrap().output;
            let raw = json!({ "data": expected, "prompt": "Pool> ", "print": false });
            assert_eq!((output.data.as_str(), output.raw), (expected, Some(raw)), "{text}");
        }
    }

    #[test]
    fn lua_is_an_error_that_says_what_can_be_typed() {
        for text in ["1 + 1", "local x = 1\nreturn x", "Send({ Target = \"elsewhere\", Action = \"Info\" })", "Send({"]
        {
            assert!(typed(text).unwrap_err().to_string().contains("runs no Lua"), "{text}");
        }
    }
}
