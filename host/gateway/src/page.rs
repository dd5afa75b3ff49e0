//! The page: files that are part of the binary. Nothing of it is generated here, and it is let
//! see nothing without a token.

use crate::refusal::Refusal;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use hydroid_core::protocol::ErrorCode;

/// Name, media type and content of each file.
const FILES: &[(&str, &str, &[u8])] = &[
    ("index.html", "text/html; charset=utf-8", include_bytes!("../web/index.html")),
    ("page.css", "text/css; charset=utf-8", include_bytes!("../web/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_bytes!("../web/page.js")),
];

/// The first page.
pub(crate) async fn index() -> Response {
    serve("index.html").into_response()
}

/// One of its files.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    serve(&name).into_response()
}

fn serve(name: &str) -> Result<Response, Refusal> {
    let Some((_, media_type, content)) = FILES.iter().find(|(known, _, _)| *known == name) else {
        return Err(Refusal::new(ErrorCode::NotFound, "there is no such page"));
    };
    let mut response = (*content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Another binary has other files under the same names.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
