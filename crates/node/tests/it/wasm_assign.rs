//! Messages that were sent to one process and are given to others: who takes them, and what they then see.

use ao::{Id, Tags};

use crate::wasm_modules::module;
use crate::wasm_place::WasmPlace;

/// A node with two processes of aos, if aos was fetched.
async fn pair() -> Option<(WasmPlace, Id, Id)> {
    let file = module("aos2_0_6.wasm")?;
    let place = WasmPlace::with(|_| {}).await;
    let module = place.add(&file);
    let first = place.spawn(module, Tags::new().with("Name", "first")).await;
    let second = place.spawn(module, Tags::new().with("Name", "second")).await;
    Some((place, first, second))
}

const TAKES_NOTES: &str = "ao.addAssignable('notes', { Action = 'Note' }); Given = {}
    Handlers.add('Note', 'Note', function(m) Given[#Given + 1] = m.Target .. ' ' .. m.From .. ' ' .. (m.Data or '') end)";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_given_what_was_sent_to_another_if_it_takes_such() {
    let Some((mut place, first, second)) = pair().await else { return };
    let note = place.send_item(first, Tags::new().with("Action", "Note"), "hello").await;
    // aos refuses what it was not told to take.
    let answer = place.assign(second, note, "").await;
    assert!(answer["id"].is_string(), "{answer}");
    let refused = place.result(second, &note).await;
    assert!(refused["Output"].to_string().contains("not trusted"), "{refused}");
    place.eval(second, TAKES_NOTES).await;
    let note = place.send_item(first, Tags::new().with("Action", "Note"), "again").await;
    place.assign(second, note, "").await;
    // The same assignment again is the same message.
    place.assign(second, note, "").await;
    let expected = format!("{first} {} again", place.wallet.address());
    assert_eq!(place.shows(second, "return table.concat(Given, ';')").await, expected);
    // What is left out is not given.
    let note = place.send_item(first, Tags::new().with("Action", "Note"), "secret").await;
    place.assign(second, note, "Data").await;
    assert!(!place.shows(second, "return Given[2]").await.contains("secret"));
    // The schedule shows the message as it was signed.
    let edge = place.get(&format!("/{note}?process-id={second}")).await;
    assert_eq!(
        (&edge["message"]["id"], &edge["message"]["target"]),
        (&note.to_string().into(), &first.to_string().into())
    );
    // It is in the log of the process, and so is replayed with it.
    let path = place.config.data.join("processes").join(format!("{}.sqlite", second.to_hex()));
    place = place.restart_without(&path).await;
    assert_eq!(place.shows(second, "return Given[1]").await, expected);
    assert_eq!(place.shows(second, "return #Given").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_assigns_a_message_to_another() {
    let Some((place, first, second)) = pair().await else { return };
    place.eval(second, TAKES_NOTES).await;
    let code = format!(
        "Handlers.prepend('Pass', 'Note', function(m) Assign({{ Processes = {{ '{second}', '{first}' }}, Message = m.Id }}) end)"
    );
    place.eval(first, &code).await;
    let note = place.send_item(first, Tags::new().with("Action", "Note"), "passed on").await;
    let result = place.result(first, &note).await;
    assert_eq!(result["Assignments"][0]["Message"], note.to_string(), "{result}");
    assert_eq!(result["Assignments"][0]["Processes"].as_array().unwrap().len(), 2);
    place.node.idle().await;
    assert_eq!(
        place.shows(second, "return table.concat(Given, ';')").await,
        format!("{first} {} passed on", place.wallet.address())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_assigned_says_why() {
    let Some((place, first, second)) = pair().await else { return };
    let nowhere = Id::new([9; 32]);
    let unknown = place.assign(second, nowhere, "").await;
    assert!(unknown["error"].as_str().unwrap().contains("no message"), "{unknown}");
    let note = place.send_item(first, Tags::new().with("Action", "Note"), "x").await;
    let process = place.assign(nowhere, note, "").await;
    assert_eq!(process["code"], "unknown-process", "{process}");
    let field = place.assign(second, note, "Owner").await;
    assert!(field["error"].as_str().unwrap().contains("cannot be left out"), "{field}");
}
