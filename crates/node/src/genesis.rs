//! The processes that a node has from the start: spawned by the node itself, once.

use std::collections::BTreeMap;

use ao::{Id, MessageKind, Tags, hash_parts};

use crate::config::{Genesis, GenesisProcess};
use crate::error::{LogError, NodeError};
use crate::log::{Append, Body, Log, Pushed, Stream};
use crate::runtime::Programs;

/// Spawns what is not there yet; all processes of the genesis by name.
pub(crate) fn spawn(
    genesis: &Genesis,
    log: &dyn Log,
    node: Id,
    owner: Id,
    programs: &Programs,
) -> Result<BTreeMap<String, Id>, NodeError> {
    let ids = ids(genesis, &node)?;
    let mut appends = Vec::new();
    for process in &genesis.processes {
        let id = ids[&process.name];
        if log.head(&Stream::process(id))?.is_none() {
            appends.push(append(process, id, &ids, node, owner, programs)?);
        }
    }
    if !appends.is_empty() {
        let answer = log.append(appends)?.blocking_recv();
        let placed = answer.map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
        placed.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    Ok(ids)
}

fn ids(genesis: &Genesis, node: &Id) -> Result<BTreeMap<String, Id>, NodeError> {
    let mut ids = BTreeMap::new();
    for process in &genesis.processes {
        let made = hash_parts(&[b"aobench genesis process", node.as_bytes(), process.name.as_bytes()]);
        if ids.insert(process.name.clone(), process.id.unwrap_or(made)).is_some() {
            let reason = "the name stands there twice".to_owned();
            return Err(NodeError::Genesis { name: process.name.clone(), reason });
        }
    }
    Ok(ids)
}

fn append(
    process: &GenesisProcess,
    id: Id,
    ids: &BTreeMap<String, Id>,
    node: Id,
    owner: Id,
    programs: &Programs,
) -> Result<Append, NodeError> {
    let wrong = |reason: String| NodeError::Genesis { name: process.name.clone(), reason };
    programs
        .check(&process.module)
        .map_err(|reason| wrong(format!("the module '{}' cannot run: {reason}", process.module)))?;
    let mut tags = Tags::new().with("Module", &process.module).with("Scheduler", node.to_string());
    for tag in &process.tags {
        tags.push(&tag.name, substitute(&tag.value, ids, &node).map_err(&wrong)?);
    }
    if tags.get("Name").is_none() {
        tags.push("Name", &process.name);
    }
    let body = Body::Pushed(Pushed {
        from: process.owner.unwrap_or(owner),
        slot: 0,
        index: 0,
        pushed_for: id,
        hops: 0,
        anchor: String::new(),
        tags,
        data: process.data.clone(),
    });
    Ok(Append { stream: Stream::process(id), identity: id, kind: MessageKind::Spawn, body: body.encode() })
}

/// Puts ids in the places of `${name}`.
fn substitute(value: &str, ids: &BTreeMap<String, Id>, node: &Id) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("'{value}' has a '${{' without its '}}'"))?;
        let id = if name == "node" { Some(node) } else { ids.get(name) };
        let id = id.ok_or_else(|| format!("'{value}' names '{name}', which is no process of the genesis"))?;
        text.push_str(before);
        text.push_str(&id.to_string());
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids() {
        let id = Id::new([1; 32]);
        let ids = BTreeMap::from([("token".to_owned(), id)]);
        let node = Id::new([2; 32]);
        assert_eq!(substitute("${token},${node}!", &ids, &node).unwrap(), format!("{id},{node}!"));
        assert!(substitute("${nobody}", &ids, &node).unwrap_err().contains("nobody"));
        assert!(substitute("${token", &ids, &node).is_err());
    }
}
