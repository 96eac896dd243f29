//! The style sheet, the scripts and the icon, all part of the program.

use axum::extract::Path;
use axum::response::Response;

use super::face::text;
use crate::http::error::{HttpError, quoted};

const STYLE: &str = include_str!("../../templates/style.css");
const SCRIPTS: [(&str, &str); 6] = [
    ("page.js", include_str!("../../templates/script/page.js")),
    ("act.js", include_str!("../../templates/script/act.js")),
    ("documents.js", include_str!("../../templates/script/documents.js")),
    ("item.js", include_str!("../../templates/script/item.js")),
    ("node.js", include_str!("../../templates/script/node.js")),
    ("sha384.js", include_str!("../../templates/script/sha384.js")),
];
const ICON: &str = include_str!("../../templates/icon.svg");

/// How long an asset may be kept: a browser sees the next release of the node after minutes.
const KEPT: &str = "max-age=300";

/// `GET /style.css`.
pub(crate) async fn style() -> Response {
    text("text/css; charset=utf-8", KEPT, STYLE)
}

/// `GET /icon.svg`.
pub(crate) async fn icon() -> Response {
    text("image/svg+xml", "max-age=86400", ICON)
}

/// `GET /script/{name}`.
pub(crate) async fn script(Path(name): Path<String>) -> Result<Response, HttpError> {
    let found = SCRIPTS.iter().find(|(known, _)| *known == name);
    let (_, script) = found.ok_or_else(|| HttpError::not_found(format!("there is no script '{}'", quoted(&name))))?;
    Ok(text("text/javascript; charset=utf-8", KEPT, *script))
}
