//! What changes a registry: packages that are published or given away, and vendors that are registered.

use ao::{Id, Tags};
use serde::Deserialize;
use serde_json::Value;

use super::limits::{
    FIELD_BYTES_MAX, OWNER_BYTES_MAX, README_BYTES_MAX, REGISTRY_BYTES_MAX, SOURCE_BYTES_MAX, VENDORS_PER_OWNER_MAX,
    VERSIONS_MAX,
};
use super::name::{COMMON_VENDOR, Name, Version, bad_version, vendor_name};
use super::turn::Turn;
use crate::Fault;
use crate::payload::{json as data, parsed, required, text};

/// The package that is the client of the registry itself.
pub(super) const CLIENT: &str = "apm";

/// The data of `APM.Publish`.
#[derive(Debug, Deserialize)]
struct Content {
    source: String,
    #[serde(default)]
    readme: String,
}

/// A package that a registry begins with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    license: String,
    #[serde(default)]
    repository: String,
    source: String,
    #[serde(default)]
    readme: String,
}

/// A version as it is published.
struct New {
    name: Name,
    version: Version,
    /// The message that is its id, and who it is from.
    message: Id,
    publisher: Id,
    description: String,
    /// JSON each, `{}` or `[]` if nothing was said.
    keywords: String,
    authors: String,
    dependencies: String,
    warnings: String,
    repository: String,
    license: String,
    content: Content,
}

/// `APM.Publish`: a version of a package, from tags and data (`{source, readme}`).
pub(super) fn publish(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let tag = |name: &'static str| turn.message.tag(name).unwrap_or_default().to_owned();
    let number = required(turn.message, "Version")?;
    let new = New {
        name: Name::new(turn.message.tag("Vendor").unwrap_or(COMMON_VENDOR), required(turn.message, "Name")?)?,
        version: Version::read(number).ok_or_else(|| bad_version(number))?,
        message: turn.message.id,
        publisher: turn.message.from,
        description: tag("Description"),
        keywords: json_field("Keywords", &tag("Keywords"), "[]")?,
        authors: json_field("Authors", &tag("Authors"), "[]")?,
        dependencies: json_field("Dependencies", &tag("Dependencies"), "{}")?,
        warnings: json_field("Warnings", &tag("Warnings"), "{}")?,
        repository: tag("Repository"),
        license: tag("License"),
        content: data(turn.message)?,
    };
    let said = format!("published {}@{}", new.name, new.version);
    keep(turn, &new)?;
    turn.respond("APM.PublishResponse", Tags::new(), said)
}

/// The packages that stand in the data of the spawn.
pub(super) fn begin_with(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    if !crate::payload::has_data(turn.message) {
        return Ok(());
    }
    let packages: Vec<First> = data(turn.message)?;
    for (first, place) in packages.into_iter().zip(0..) {
        let version = Version::read(&first.version).ok_or_else(|| bad_version(&first.version))?;
        let new = New {
            name: Name::read(&first.name)?.0,
            version,
            message: ao::Message::pushed_id(&turn.env.process, 0, place),
            publisher: turn.env.owner,
            description: first.description,
            keywords: "[]".to_owned(),
            authors: "[]".to_owned(),
            dependencies: "{}".to_owned(),
            warnings: "{}".to_owned(),
            repository: first.repository,
            license: first.license,
            content: Content { source: first.source, readme: first.readme },
        };
        keep(turn, &new)?;
    }
    Ok(())
}

/// A field that is JSON, of the same kind as `otherwise`, which stands for an absent one.
fn json_field(name: &'static str, value: &str, otherwise: &str) -> Result<String, Fault> {
    if value.trim().is_empty() {
        return Ok(otherwise.to_owned());
    }
    let bad = |reason: &str| Fault::BadTag { name, value: crate::payload::quoted(value), reason: reason.to_owned() };
    let json: Value = serde_json::from_str(value).map_err(|error| bad(&format!("it is no JSON ({error})")))?;
    // Lua writes an empty table as a list.
    let is_empty = json.as_array().is_some_and(Vec::is_empty);
    match otherwise {
        "[]" if json.is_array() => Ok(value.to_owned()),
        "{}" if json.is_object() => Ok(value.to_owned()),
        _ if is_empty => Ok(otherwise.to_owned()),
        "[]" => Err(bad("it is a JSON list")),
        _ => Err(bad("it is a JSON map")),
    }
}

/// Checks a version and keeps it. Nothing is written before everything is checked.
fn keep(turn: &mut Turn<'_, '_>, new: &New) -> Result<(), Fault> {
    let bytes = checked_bytes(new)?;
    let publisher = new.publisher.to_string();
    check_vendor(turn, new, &publisher)?;
    let known = check_package(turn, new, &publisher)?;
    check_room(turn, &publisher, bytes)?;
    if new.name.vendor != COMMON_VENDOR {
        turn.store.execute(
            "INSERT INTO vendors (name, owner) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
            (&new.name.vendor, &publisher),
        )?;
    }
    let package = match known {
        Some(package) => package,
        None => turn.store.insert(
            "INSERT INTO packages (vendor, name, owner, installs) VALUES (?, ?, ?, 0)",
            (&new.name.vendor, &new.name.name, &publisher),
        )?,
    };
    let Version(major, minor, patch) = new.version;
    let sql = "INSERT INTO versions (package, major, minor, patch, message, publisher, published_ms, installs, bytes,
                   description, keywords, authors, dependencies, warnings, repository, license, readme, source)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    let values = rusqlite::params![
        package,
        major,
        minor,
        patch,
        new.message.to_string(),
        publisher,
        turn.now_ms(),
        bytes,
        new.description,
        new.keywords,
        new.authors,
        new.dependencies,
        new.warnings,
        new.repository,
        new.license,
        new.content.readme,
        new.content.source
    ];
    let version = turn.store.insert(sql, values)?;
    turn.store.execute("UPDATE packages SET newest = ? WHERE id = ?", (version, package))?;
    turn.store.execute("UPDATE totals SET bytes = bytes + ?", [bytes])?;
    Ok(())
}

/// The bytes of a version, if no part of it is too long.
fn checked_bytes(new: &New) -> Result<u64, Fault> {
    let fields = [
        ("description", &new.description),
        ("list of keywords", &new.keywords),
        ("list of authors", &new.authors),
        ("list of dependencies", &new.dependencies),
        ("warning", &new.warnings),
        ("repository", &new.repository),
        ("license", &new.license),
    ];
    let parts = fields.into_iter().map(|(what, text)| (what, text, FIELD_BYTES_MAX));
    let parts = parts
        .chain([("source", &new.content.source, SOURCE_BYTES_MAX), ("readme", &new.content.readme, README_BYTES_MAX)]);
    let mut bytes = 0;
    for (what, text, most) in parts {
        if text.len() > most {
            return Err(Fault::BadData(format!("the {what} has {} bytes, and {most} are allowed", text.len())));
        }
        bytes += text.len() as u64;
    }
    if new.content.source.trim().is_empty() {
        return Err(Fault::BadData("the package has no source".to_owned()));
    }
    Ok(bytes)
}

fn check_vendor(turn: &Turn<'_, '_>, new: &New, publisher: &str) -> Result<(), Fault> {
    let vendor = &new.name.vendor;
    if vendor == COMMON_VENDOR {
        if new.name.name == CLIENT && new.publisher != turn.env.owner {
            let allowed = "the owner of the registry";
            return Err(Fault::NotAllowed { action: "Publishing @apm/apm", allowed, from: new.publisher });
        }
        return Ok(());
    }
    match vendor_owner(turn, vendor)? {
        Some(owner) if owner != publisher => Err(Fault::Refused(format!("the vendor {vendor} belongs to {owner}"))),
        Some(_) => Ok(()),
        None => check_vendors_of(turn, publisher),
    }
}

fn vendor_owner(turn: &Turn<'_, '_>, vendor: &str) -> Result<Option<String>, Fault> {
    turn.store.first("SELECT owner FROM vendors WHERE name = ?", [vendor], |row| row.get(0))
}

fn check_vendors_of(turn: &Turn<'_, '_>, owner: &str) -> Result<(), Fault> {
    let vendors: u64 = turn.store.value("SELECT count(*) FROM vendors WHERE owner = ?", [owner])?;
    if vendors >= VENDORS_PER_OWNER_MAX {
        return Err(Fault::Refused(format!("{owner} has {vendors} vendors already, which is the most")));
    }
    Ok(())
}

/// The package that gets a new version, if it is known.
fn check_package(turn: &Turn<'_, '_>, new: &New, publisher: &str) -> Result<Option<i64>, Fault> {
    let sql = "SELECT packages.id, packages.owner, major, minor, patch,
                   (SELECT count(*) FROM versions WHERE package = packages.id)
               FROM packages JOIN versions ON versions.id = newest WHERE vendor = ? AND name = ?";
    let found = turn.store.first(sql, (&new.name.vendor, &new.name.name), |row| {
        let newest = Version(row.get(2)?, row.get(3)?, row.get(4)?);
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, newest, row.get::<_, u64>(5)?))
    })?;
    let Some((package, owner, newest, versions)) = found else { return Ok(None) };
    if owner != publisher {
        return Err(Fault::Refused(format!("the package {} belongs to {owner}", new.name)));
    }
    if new.version <= newest {
        return Err(Fault::Refused(format!(
            "the newest version of {} is {newest}, and a new one must be higher than that",
            new.name
        )));
    }
    if versions >= VERSIONS_MAX {
        return Err(Fault::Refused(format!("{} has {versions} versions already, which is the most", new.name)));
    }
    Ok(Some(package))
}

fn check_room(turn: &Turn<'_, '_>, publisher: &str, bytes: u64) -> Result<(), Fault> {
    let own: u64 = turn.store.value("SELECT coalesce(sum(bytes), 0) FROM versions WHERE publisher = ?", [publisher])?;
    let all: u64 = turn.store.value("SELECT bytes FROM totals", [])?;
    if own + bytes > OWNER_BYTES_MAX {
        return Err(Fault::Refused(format!(
            "{publisher} has published {own} bytes, and {OWNER_BYTES_MAX} are allowed"
        )));
    }
    if all + bytes > REGISTRY_BYTES_MAX {
        return Err(Fault::Refused(format!("the registry is full: it takes {REGISTRY_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// `APM.RegisterVendor`: the vendor in the data belongs to the sender from now on.
pub(super) fn register_vendor(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let vendor = vendor_name(text(turn.message)?.trim())?;
    let sender = turn.message.from.to_string();
    if vendor == COMMON_VENDOR {
        return Err(Fault::Refused(format!("{COMMON_VENDOR} belongs to nobody: anyone may publish there")));
    }
    match vendor_owner(turn, &vendor)? {
        Some(owner) if owner != sender => {
            return Err(Fault::Refused(format!("the vendor {vendor} belongs to {owner}")));
        }
        Some(_) => {}
        None => {
            check_vendors_of(turn, &sender)?;
            turn.store.execute("INSERT INTO vendors (name, owner) VALUES (?, ?)", (&vendor, &sender))?;
        }
    }
    turn.respond("APM.RegisterVendorResponse", Tags::new(), format!("{vendor} is registered"))
}

/// `APM.Transfer`: a package belongs to `Recipient` from now on. The vendor stays whose it is.
pub(super) fn transfer(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let name = Name::new(turn.message.tag("Vendor").unwrap_or(COMMON_VENDOR), required(turn.message, "Name")?)?;
    let recipient: Id = parsed(turn.message, "Recipient")?;
    let sql = "SELECT owner FROM packages WHERE vendor = ? AND name = ?";
    let owner: Option<String> = turn.store.first(sql, (&name.vendor, &name.name), |row| row.get(0))?;
    match owner {
        None => return Err(Fault::NotFound { what: "package", name: name.to_string() }),
        Some(owner) if owner != turn.message.from.to_string() => {
            return Err(Fault::Refused(format!("the package {name} belongs to {owner}")));
        }
        Some(_) => {}
    }
    let sql = "UPDATE packages SET owner = ? WHERE vendor = ? AND name = ?";
    turn.store.execute(sql, (recipient.to_string(), &name.vendor, &name.name))?;
    turn.respond("APM.TransferResponse", Tags::new(), format!("{name} belongs to {recipient}"))
}
