//! What is asked of a registry. The fields of its answers have the names that APM's clients read.

use std::fmt::Write as _;

use ao::Tags;
use rusqlite::Row;
use serde_json::{Map, Value, json};

use super::limits::{PACKAGES_PAGE, VERSIONS_SHOWN};
use super::name::{COMMON_VENDOR, Name, Version, Which, vendor_name};
use super::publishing::CLIENT;
use super::turn::Turn;
use crate::payload::{optional, quoted, text};
use crate::{Fault, readable};

/// The client that is given to a process while the owner has published none.
const BUILT_IN: &str = include_str!("client.lua");
const BUILT_IN_VERSION: Version = Version(1, 0, 0);

/// What stands for the id of the registry in the client.
const REGISTRY: &str = "REGISTRY_ID";

/// A version of a package without its long texts.
struct Found {
    version: i64,
    package: i64,
    name: Name,
    number: Version,
    owner: String,
    installs: u64,
    total_installs: u64,
    description: String,
    message: String,
    repository: String,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            version: row.get(0)?,
            package: row.get(1)?,
            name: Name { vendor: row.get(2)?, name: row.get(3)? },
            number: Version(row.get(4)?, row.get(5)?, row.get(6)?),
            owner: row.get(7)?,
            installs: row.get(8)?,
            total_installs: row.get(9)?,
            description: row.get(10)?,
            message: row.get(11)?,
            repository: row.get(12)?,
        })
    }

    fn to_json(&self) -> Map<String, Value> {
        let value = json!({
            "ID": self.package,
            "Vendor": self.name.vendor,
            "Name": self.name.name,
            "Version": self.number.to_string(),
            "Owner": self.owner,
            "Installs": self.installs,
            "TotalInstalls": self.total_installs,
            "Description": self.description,
            "PkgID": self.message,
            "Repository": self.repository,
        });
        match value {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

/// The columns that [`Found::read`] reads, of packages and their versions joined by what follows.
macro_rules! found {
    ($rest:literal) => {
        concat!(
            "SELECT versions.id, packages.id, vendor, name, major, minor, patch, owner, versions.installs,
                 packages.installs, description, message, repository FROM packages JOIN versions ",
            $rest
        )
    };
}

/// `Info`: what this process is.
pub(super) fn summary(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let count = |sql: &'static str| turn.store.value::<u64>(sql, []);
    let info = json!({
        "name": readable::title(turn.env.tags.get("Name").unwrap_or("Packages")),
        "packages": count("SELECT count(*) FROM packages")?,
        "versions": count("SELECT count(*) FROM versions")?,
        "vendors": count("SELECT count(*) FROM vendors")?,
        "installs": count("SELECT coalesce(sum(installs), 0) FROM packages")?,
        "bytes": count("SELECT bytes FROM totals")?,
        "client": client_version(turn)?,
        "owner": turn.env.owner,
    });
    turn.answer("Info-Response", &info);
    Ok(())
}

/// `APM.Download`: the source of the package that the data names, counted as an install.
pub(super) fn download(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let (name, which) = Name::read(text(turn.message)?)?;
    let found = find(turn, &name, &which)?;
    let sql = "SELECT source, warnings, dependencies FROM versions WHERE id = ?";
    let texts = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (source, warnings, dependencies): (String, String, String) =
        turn.store.first(sql, [found.version], texts)?.unwrap_or_default();
    turn.store.execute("UPDATE versions SET installs = installs + 1 WHERE id = ?", [found.version])?;
    turn.store.execute("UPDATE packages SET installs = installs + 1 WHERE id = ?", [found.package])?;
    let tags = Tags::new()
        .with("PkgID", &found.message)
        .with("Name", name.to_string())
        .with("Version", found.number.to_string())
        .with("Warnings", warnings)
        .with("Dependencies", dependencies);
    turn.respond("APM.DownloadResponse", tags, hexadecimal(&source))
}

fn find(turn: &Turn<'_, '_>, name: &Name, which: &Which) -> Result<Found, Fault> {
    let by = (&name.vendor, &name.name);
    let found = match which {
        Which::Newest => {
            let sql = found!("ON versions.id = newest WHERE vendor = ? AND name = ?");
            turn.store.first(sql, by, Found::read)
        }
        Which::Number(Version(major, minor, patch)) => {
            let sql = found!(
                "ON versions.package = packages.id
                 WHERE vendor = ? AND name = ? AND major = ? AND minor = ? AND patch = ?"
            );
            turn.store.first(sql, (by.0, by.1, major, minor, patch), Found::read)
        }
        Which::Message(message) => {
            let sql = found!("ON versions.package = packages.id WHERE vendor = ? AND name = ? AND message = ?");
            turn.store.first(sql, (by.0, by.1, message.to_string()), Found::read)
        }
    }?;
    let missing = || match which {
        Which::Newest => name.to_string(),
        Which::Number(version) => format!("{name}@{version}"),
        Which::Message(message) => format!("{name}@{message}"),
    };
    found.ok_or_else(|| Fault::NotFound { what: "package", name: missing() })
}

/// `APM.Search`: the packages whose name, vendor or description has the text of the data, those with most installs first.
pub(super) fn search(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let query = text(turn.message)?.trim().to_lowercase();
    let sql = found!(
        "ON versions.id = newest WHERE instr(lower(vendor || '/' || name), ?1) > 0 OR instr(lower(description), ?1) > 0
         ORDER BY packages.installs DESC, packages.id LIMIT ?2"
    );
    let found = turn.store.all(sql, (query, PACKAGES_PAGE), Found::read)?;
    turn.respond_json("APM.SearchResponse", &rows(&found))
}

/// `APM.List`: all packages in the order in which they came, a page at a time: those after the number `From-Id`.
pub(super) fn list(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let from: i64 = optional(turn.message, "From-Id")?.unwrap_or(0);
    let sql = found!("ON versions.id = newest WHERE packages.id > ? ORDER BY packages.id LIMIT ?");
    let found = turn.store.all(sql, (from, PACKAGES_PAGE), Found::read)?;
    turn.respond_json("APM.ListResponse", &rows(&found))
}

/// `APM.Popular`: the packages with most installs.
pub(super) fn popular(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = found!("ON versions.id = newest ORDER BY packages.installs DESC, packages.id LIMIT ?");
    let found = turn.store.all(sql, [PACKAGES_PAGE], Found::read)?;
    turn.respond_json("APM.PopularResponse", &rows(&found))
}

/// `APM.VendorOrAddressPackages`: the packages of the vendor or of the owner that the data names.
pub(super) fn of_vendor_or_owner(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let asked = text(turn.message)?.trim();
    let found = if asked.starts_with('@') {
        let sql = found!("ON versions.id = newest WHERE vendor = ? ORDER BY published_ms DESC, packages.id LIMIT ?");
        turn.store.all(sql, (vendor_name(asked)?, PACKAGES_PAGE), Found::read)?
    } else {
        let owner: ao::Id =
            asked.parse().map_err(|_| Fault::BadData(format!("'{}' is no vendor and no address", quoted(asked))))?;
        let sql = found!("ON versions.id = newest WHERE owner = ? ORDER BY published_ms DESC, packages.id LIMIT ?");
        turn.store.all(sql, (owner.to_string(), PACKAGES_PAGE), Found::read)?
    };
    turn.respond_json("APM.VendorPackagesResponse", &rows(&found))
}

fn rows(found: &[Found]) -> Value {
    found.iter().map(|found| Value::Object(found.to_json())).collect()
}

/// `APM.Info`: everything about the package that the data names.
pub(super) fn info(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let (name, which) = Name::read(text(turn.message)?)?;
    let found = find(turn, &name, &which)?;
    let mut info = found.to_json();
    let sql = "SELECT readme, authors, dependencies, keywords, warnings, license, published_ms, source FROM versions
               WHERE id = ?";
    let fields = turn.store.first(sql, [found.version], |row| {
        let texts = ["Readme", "Authors", "Dependencies", "Keywords", "Warnings", "License"];
        let mut fields = Map::new();
        for (name, column) in texts.into_iter().zip(0..) {
            fields.insert(name.to_owned(), row.get::<_, String>(column)?.into());
        }
        fields.insert("Timestamp".to_owned(), row.get::<_, u64>(6)?.into());
        fields.insert("Source".to_owned(), row.get::<_, String>(7)?.into());
        Ok(fields)
    })?;
    info.extend(fields.unwrap_or_default());
    for name in ["Readme", "Source"] {
        if let Some(Value::String(text)) = info.get_mut(name) {
            *text = hexadecimal(text);
        }
    }
    let sql = "SELECT major, minor, patch, message, installs FROM versions WHERE package = ?
               ORDER BY id DESC LIMIT ?";
    let versions = turn.store.all(sql, (found.package, VERSIONS_SHOWN), |row| {
        let number = Version(row.get(0)?, row.get(1)?, row.get(2)?).to_string();
        Ok(json!({ "Version": number, "PkgID": row.get::<_, String>(3)?, "Installs": row.get::<_, u64>(4)? }))
    })?;
    info.insert("Versions".to_owned(), versions.into());
    turn.respond_json("APM.InfoResponse", &Value::Object(info))
}

/// `APM.Update`: the client that runs in an aos process: the one that the owner published last, or the one built in.
pub(super) fn client(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let version = client_version(turn)?;
    let (source, message) = match published_client(turn)? {
        Some(found) => {
            let sql = "SELECT source FROM versions WHERE id = ?";
            (turn.store.value::<String>(sql, [found.version])?, found.message)
        }
        None => (BUILT_IN.to_owned(), String::new()),
    };
    let source = source.replace(REGISTRY, &turn.env.process.to_string());
    let tags =
        Tags::new().with("PkgID", message).with("Name", format!("{COMMON_VENDOR}/{CLIENT}")).with("Version", version);
    turn.respond("APM.UpdateResponse", tags, hexadecimal(&source))
}

fn published_client(turn: &Turn<'_, '_>) -> Result<Option<Found>, Fault> {
    let name = Name { vendor: COMMON_VENDOR.to_owned(), name: CLIENT.to_owned() };
    match find(turn, &name, &Which::Newest) {
        Ok(found) => Ok(Some(found)),
        Err(Fault::NotFound { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The version of the client that `APM.Update` gives.
pub(super) fn client_version(turn: &Turn<'_, '_>) -> Result<String, Fault> {
    Ok(published_client(turn)?.map_or(BUILT_IN_VERSION, |found| found.number).to_string())
}

/// Text as APM sends it: as hexadecimal digits.
fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::with_capacity(2 * text.len()), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
