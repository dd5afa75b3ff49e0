//! The page: files that are part of the binary. Nothing of it is generated here, and it is let
//! see nothing without a token.

use crate::refusal::Refusal;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use hydroid_core::protocol::ErrorCode;

/// The files, each with its name below `web/`.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../web/", $name)))),*]
    };
}

/// Name and content of each file.
const FILES: &[(&str, &[u8])] = files![
    "icon.svg",
    "index.html",
    "js/administration.js",
    "js/call.js",
    "js/chat.js",
    "js/composer.js",
    "js/connection.js",
    "js/conversation.js",
    "js/dom.js",
    "js/household.js",
    "js/main.js",
    "js/markdown.js",
    "js/settings.js",
    "js/settings/audit.js",
    "js/settings/components.js",
    "js/settings/configuration.js",
    "js/settings/costs.js",
    "js/settings/log.js",
    "js/settings/memory.js",
    "js/settings/model.js",
    "js/settings/restart.js",
    "js/settings/rules.js",
    "js/settings/secrets.js",
    "js/settings/service.js",
    "js/settings/status.js",
    "js/settings/users.js",
    "js/settings/waiting.js",
    "js/setup.js",
    "js/sidebar.js",
    "js/sign-in.js",
    "js/turn.js",
    "js/words.js",
    "style.css",
    "vendor/markdown-it.LICENSE",
    "vendor/markdown-it.js",
    "vendor/purify.LICENSE",
    "vendor/purify.js",
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
    let Some((name, content)) = FILES.iter().find(|(known, _)| *known == name) else {
        return Err(Refusal::new(ErrorCode::NotFound, "there is no such page"));
    };
    let mut response = (*content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    // Another binary has other files under the same names.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[expect(clippy::disallowed_methods, reason = "the tests look at the files of the page")]
    fn below(directory: PathBuf, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                below(entry.path(), &format!("{name}/"), found);
            } else if !name.ends_with(".md") {
                found.push(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_served_and_no_other() {
        let mut there = Vec::new();
        below(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("web"), "", &mut there);
        there.sort();
        let served: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(served, there);
        for outside in ["", "../Cargo.toml", "js", "js/", "/etc/passwd", "js/../index.html"] {
            assert!(serve(outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn what_the_page_names_of_its_own_is_there() {
        for (name, content) in FILES.iter().filter(|(name, _)| name.starts_with("js/")) {
            let text = std::str::from_utf8(content).unwrap();
            let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let path = line.split('"').nth(1).unwrap_or_else(|| panic!("{name}: {line}"));
                let mut parts: Vec<&str> = directory.split('/').collect();
                for part in path.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(parts.pop()),
                        part => parts.push(part),
                    }
                }
                let target = parts.join("/");
                assert!(FILES.iter().any(|(known, _)| *known == target), "{name} imports {path}");
            }
        }
    }

    #[test]
    fn nothing_of_the_page_stands_in_the_page_itself() {
        let index =
            std::str::from_utf8(FILES.iter().find(|(name, _)| *name == "index.html").unwrap().1)
                .unwrap();
        assert!(!index.contains("<style") && !index.contains(" style="), "{index}");
        for script in index.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains(" src=\"/page/"), "{script}");
        }
        // Only the libraries of others make HTML of text, and what they make is cleaned.
        for (name, content) in FILES.iter().filter(|(name, _)| name.starts_with("js/")) {
            let text = std::str::from_utf8(content).unwrap();
            for sink in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "srcdoc",
            ] {
                assert!(!text.contains(sink), "{name} has `{sink}`");
            }
        }
    }
}
