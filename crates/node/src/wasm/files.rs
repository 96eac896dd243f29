//! The files of a module during one message. They are gone after it: state that outlives a message is memory, and nothing
//! else. The numbers of errors and flags are those of emscripten's C library.

use std::collections::BTreeMap;
use std::sync::Arc;

use ao::Id;

use super::drive::{Admissible, Drive};

/// Bytes of all files that a module writes during one message.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Files and directories that a module makes during one message.
const NAMES_MAX: usize = 256;
/// Files that are open at one time.
const OPEN_MAX: usize = 64;
/// The first number of an opened file: those before it are the standard streams.
const FIRST: usize = 3;

/// Numbers of errors.
pub(super) mod errno {
    pub(crate) const FORBIDDEN: i32 = 2;
    pub(crate) const BADF: i32 = 8;
    pub(crate) const EXIST: i32 = 20;
    pub(crate) const INVAL: i32 = 28;
    pub(crate) const ISDIR: i32 = 31;
    pub(crate) const MFILE: i32 = 33;
    pub(crate) const NOENT: i32 = 44;
    pub(crate) const NOSPC: i32 = 51;
    pub(crate) const NOSYS: i32 = 52;
    pub(crate) const NOTDIR: i32 = 54;
    pub(crate) const NOTEMPTY: i32 = 55;
    pub(crate) const NOTTY: i32 = 59;
    pub(crate) const SPIPE: i32 = 70;
}

const ACCESS: u32 = 3;
const CREATE: u32 = 0o100;
const EXCLUSIVE: u32 = 0o200;
const TRUNCATE: u32 = 0o1000;
const APPEND: u32 = 0o2000;

/// Why an operation did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The module is told this number.
    Number(i32),
    /// The message ends: a replay must not see what the node does not have today.
    Halt(String),
}

/// What a path stands for.
#[derive(Debug, Clone)]
enum Node {
    Directory,
    Data(usize),
    Transaction { id: Id, length: u64 },
}

#[derive(Debug, Clone)]
struct Open {
    node: Node,
    position: u64,
    flags: u32,
    /// Nothing was read from it yet.
    fresh: bool,
}

/// What a module is told of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub directory: bool,
    pub length: u64,
}

/// The files of a module during one message.
pub(super) struct Files {
    admissible: Arc<Admissible>,
    names: BTreeMap<String, Node>,
    contents: Vec<Vec<u8>>,
    open: Vec<Option<Open>>,
}

impl Files {
    /// Nothing but the directories that every module finds.
    pub(super) fn new(admissible: Arc<Admissible>) -> Self {
        let directories = ["/", "/data", "/dev", "/home", "/home/web_user", "/proc", "/tmp"];
        let names = directories.into_iter().map(|name| (name.to_owned(), Node::Directory)).collect();
        Self { admissible, names, contents: Vec::new(), open: Vec::new() }
    }

    /// Forgets everything, for the next message.
    pub(super) fn clear(&mut self) {
        *self = Self::new(Arc::clone(&self.admissible));
    }

    /// Opens a file; its number.
    pub(super) fn open(&mut self, path: &str, flags: u32, drive: &dyn Drive) -> Result<i32, Refusal> {
        let path = normal(path);
        let node = match self.find(&path, drive)? {
            Some(_) if flags & (CREATE | EXCLUSIVE) == CREATE | EXCLUSIVE => return Err(Refusal::Number(errno::EXIST)),
            Some(Node::Directory) if flags & ACCESS != 0 => return Err(Refusal::Number(errno::ISDIR)),
            Some(Node::Transaction { .. }) if flags & ACCESS != 0 => return Err(Refusal::Number(errno::FORBIDDEN)),
            Some(node) => node,
            None if flags & CREATE != 0 => self.create(&path)?,
            None => return Err(Refusal::Number(errno::NOENT)),
        };
        if let (Node::Data(content), true) = (&node, flags & TRUNCATE != 0) {
            self.contents.get_mut(*content).map(Vec::clear);
        }
        let opened = Open { node, position: 0, flags, fresh: true };
        let free = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        if free >= OPEN_MAX {
            return Err(Refusal::Number(errno::MFILE));
        }
        if free == self.open.len() {
            self.open.push(None);
        }
        if let Some(place) = self.open.get_mut(free) {
            *place = Some(opened);
        }
        Ok((free + FIRST) as i32)
    }

    fn find(&self, path: &str, drive: &dyn Drive) -> Result<Option<Node>, Refusal> {
        if let Some(node) = self.names.get(path) {
            return Ok(Some(node.clone()));
        }
        let Some(id) = path.strip_prefix("/data/").and_then(|id| id.parse::<Id>().ok()) else { return Ok(None) };
        if !self.admissible.admits(&id) {
            return Ok(None);
        }
        let missing = || Refusal::Halt(format!("the transaction {id} is not on this node: upload it, then send again"));
        let length = drive.size(&id).map_err(Refusal::Halt)?.ok_or_else(missing)?;
        Ok(Some(Node::Transaction { id, length }))
    }

    fn create(&mut self, path: &str) -> Result<Node, Refusal> {
        self.parent(path)?;
        self.contents.push(Vec::new());
        let node = Node::Data(self.contents.len() - 1);
        self.names.insert(path.to_owned(), node.clone());
        Ok(node)
    }

    /// A place for a new name: its directory is there, and there is room.
    fn parent(&self, path: &str) -> Result<(), Refusal> {
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| if parent.is_empty() { "/" } else { parent });
        match self.names.get(parent) {
            Some(Node::Directory) if self.names.len() < NAMES_MAX => Ok(()),
            Some(Node::Directory) => Err(Refusal::Number(errno::NOSPC)),
            Some(_) => Err(Refusal::Number(errno::NOTDIR)),
            None => Err(Refusal::Number(errno::NOENT)),
        }
    }

    fn opened(&mut self, number: i32) -> Result<&mut Open, Refusal> {
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(FIRST));
        let open = place.and_then(|place| self.open.get_mut(place)).and_then(Option::as_mut);
        open.ok_or(Refusal::Number(errno::BADF))
    }

    /// Closes a file.
    pub(super) fn close(&mut self, number: i32) -> Result<(), Refusal> {
        if (0..FIRST as i32).contains(&number) {
            return Ok(());
        }
        self.opened(number)?;
        if let Some(place) = self.open.get_mut(number as usize - FIRST) {
            *place = None;
        }
        Ok(())
    }

    /// Reads on.
    pub(super) fn read(&mut self, number: i32, wanted: usize, drive: &dyn Drive) -> Result<Vec<u8>, Refusal> {
        if number == 0 {
            return Ok(Vec::new());
        }
        let Open { node, position, .. } = self.opened(number)?.clone();
        let bytes = match node {
            Node::Directory => return Err(Refusal::Number(errno::ISDIR)),
            Node::Data(content) => {
                let rest =
                    self.contents.get(content).and_then(|bytes| bytes.get(position as usize..)).unwrap_or_default();
                rest.get(..wanted).unwrap_or(rest).to_vec()
            }
            Node::Transaction { id, length } => {
                let wanted = wanted.min(usize::try_from(length.saturating_sub(position)).unwrap_or(usize::MAX));
                drive.read(&id, position, wanted).map_err(Refusal::Halt)?
            }
        };
        let open = self.opened(number)?;
        open.position += bytes.len() as u64;
        open.fresh = false;
        Ok(bytes)
    }

    /// Before the first read of a transaction: the place at its end is its beginning. AO's library for WeaveDrive asks for
    /// the end to learn the length, and reads that many bytes without going back.
    pub(super) fn rewind_if_fresh(&mut self, number: i32) {
        let Ok(Facts { length, .. }) = self.facts_of(number) else { return };
        if let Ok(open) = self.opened(number)
            && open.fresh
            && open.position == length
        {
            open.position = 0;
        }
    }

    /// Writes on. What goes to the standard streams is not kept.
    pub(super) fn write(&mut self, number: i32, bytes: &[u8]) -> Result<(), Refusal> {
        if number == 1 || number == 2 {
            return Ok(());
        }
        let held: usize = self.contents.iter().map(Vec::len).sum();
        let open = self.opened(number)?;
        let (Node::Data(content), true) = (open.node.clone(), open.flags & ACCESS != 0) else {
            return Err(Refusal::Number(errno::BADF));
        };
        let (position, appends) = (open.position as usize, open.flags & APPEND != 0);
        let Some(file) = self.contents.get_mut(content) else { return Err(Refusal::Number(errno::BADF)) };
        let from = if appends { file.len() } else { position };
        let end = from.saturating_add(bytes.len());
        if held.saturating_add(end.saturating_sub(file.len())) > BYTES_MAX {
            return Err(Refusal::Number(errno::NOSPC));
        }
        if file.len() < end {
            file.resize(end, 0);
        }
        if let Some(place) = file.get_mut(from..end) {
            place.copy_from_slice(bytes);
        }
        self.opened(number)?.position = end as u64;
        Ok(())
    }

    /// Moves the place at which is read and written; the new one.
    pub(super) fn seek(&mut self, number: i32, offset: i64, whence: u32) -> Result<u64, Refusal> {
        if (0..FIRST as i32).contains(&number) {
            return Err(Refusal::Number(errno::SPIPE));
        }
        let length = self.facts_of(number)?.length;
        let open = self.opened(number)?;
        let base = match whence {
            0 => 0,
            1 => open.position,
            2 => length,
            _ => return Err(Refusal::Number(errno::INVAL)),
        };
        let position = base.checked_add_signed(offset).ok_or(Refusal::Number(errno::INVAL))?;
        open.position = position;
        Ok(position)
    }

    /// Cuts or lengthens a file.
    pub(super) fn truncate(&mut self, number: i32, length: u64) -> Result<(), Refusal> {
        let held: usize = self.contents.iter().map(Vec::len).sum();
        let Node::Data(content) = self.opened(number)?.node else { return Err(Refusal::Number(errno::INVAL)) };
        let length = usize::try_from(length).map_err(|_| Refusal::Number(errno::NOSPC))?;
        let Some(file) = self.contents.get_mut(content) else { return Err(Refusal::Number(errno::BADF)) };
        if held.saturating_add(length.saturating_sub(file.len())) > BYTES_MAX {
            return Err(Refusal::Number(errno::NOSPC));
        }
        file.resize(length, 0);
        Ok(())
    }

    /// What a path stands for.
    pub(super) fn facts(&self, path: &str, drive: &dyn Drive) -> Result<Facts, Refusal> {
        let node = self.find(&normal(path), drive)?.ok_or(Refusal::Number(errno::NOENT))?;
        Ok(self.facts_of_node(&node))
    }

    /// What an open file is.
    pub(super) fn facts_of(&mut self, number: i32) -> Result<Facts, Refusal> {
        if (0..FIRST as i32).contains(&number) {
            return Ok(Facts { directory: false, length: 0 });
        }
        let node = self.opened(number)?.node.clone();
        Ok(self.facts_of_node(&node))
    }

    fn facts_of_node(&self, node: &Node) -> Facts {
        match node {
            Node::Directory => Facts { directory: true, length: 4096 },
            Node::Data(content) => {
                Facts { directory: false, length: self.contents.get(*content).map_or(0, Vec::len) as u64 }
            }
            Node::Transaction { length, .. } => Facts { directory: false, length: *length },
        }
    }

    /// Makes a directory.
    pub(super) fn make_directory(&mut self, path: &str) -> Result<(), Refusal> {
        let path = normal(path);
        if self.names.contains_key(&path) {
            return Err(Refusal::Number(errno::EXIST));
        }
        self.parent(&path)?;
        self.names.insert(path, Node::Directory);
        Ok(())
    }

    /// Removes a file or an empty directory.
    pub(super) fn remove(&mut self, path: &str, directory: bool) -> Result<(), Refusal> {
        let path = normal(path);
        let inside = format!("{path}/");
        match (self.names.get(&path), directory) {
            (None, _) => Err(Refusal::Number(errno::NOENT)),
            (Some(Node::Directory), false) => Err(Refusal::Number(errno::ISDIR)),
            (Some(Node::Data(_) | Node::Transaction { .. }), true) => Err(Refusal::Number(errno::NOTDIR)),
            (Some(Node::Directory), true) if path == "/" || self.names.keys().any(|name| name.starts_with(&inside)) => {
                Err(Refusal::Number(errno::NOTEMPTY))
            }
            (Some(_), _) => {
                if let Some(Node::Data(content)) = self.names.remove(&path) {
                    self.contents.get_mut(content).map(std::mem::take);
                }
                Ok(())
            }
        }
    }

    /// Gives a file another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Refusal> {
        let (from, to) = (normal(from), normal(to));
        match self.names.get(&from) {
            Some(Node::Data(_)) => {}
            Some(_) => return Err(Refusal::Number(errno::FORBIDDEN)),
            None => return Err(Refusal::Number(errno::NOENT)),
        }
        match self.names.get(&to) {
            Some(Node::Directory) => return Err(Refusal::Number(errno::ISDIR)),
            Some(_) => {}
            None => self.parent(&to)?,
        }
        if let Some(node) = self.names.remove(&from) {
            self.names.insert(to, node);
        }
        Ok(())
    }
}

impl Facts {
    /// The mode as `stat` tells it.
    pub(super) const fn mode(self) -> i32 {
        if self.directory { 0o040_777 } else { 0o100_666 }
    }
}

/// A path from the root, without `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The flags of a mode of `fopen` that only reads; others are not opened by name.
pub(super) fn reads_only(mode: &str) -> bool {
    mode.starts_with('r') && !mode.contains('+')
}

/// The flags with which a file is opened for reading.
pub(super) const READ_ONLY: u32 = 0;
