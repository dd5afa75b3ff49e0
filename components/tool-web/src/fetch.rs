//! `web_fetch`: the way of one call, from a URL to text. Every hop of a redirect is a request
//! of its own, so that the host judges each.

use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::charset::{Kind, decode, kind_of_bytes, kind_of_type, parse_content_type};
use crate::http::{Failure, Http, Reply};
use crate::page;

/// Redirects followed, more than any honest site needs.
const REDIRECTS: usize = 5;

/// Bytes of a body that are read: its tree of elements takes some twenty times as much memory.
const BODY: usize = 4 * 1024 * 1024;

/// Characters returned when the call does not say.
const LENGTH: usize = 20_000;

/// Characters returned at most.
const MOST_LENGTH: usize = 100_000;

/// Characters shown of the body of an error.
const ERROR_BODY: usize = 500;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebFetch {
    /// `https:` or `http:` URL.
    #[schemars(extend("format" = "uri"))]
    pub(crate) url: String,
    /// `markdown` (HTML as Markdown; when absent), `text` (HTML as plain text) or `raw` (as it came).
    #[serde(default)]
    pub(crate) format: Format,
    /// Characters to skip, to go on where the part before ended.
    #[serde(default)]
    pub(crate) offset: usize,
    /// Most characters to return; 20000 when absent, at most 100000.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) length: Option<usize>,
}

/// What to make of HTML.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Markdown,
    Text,
    Raw,
}

pub(crate) fn web_fetch(http: &impl Http, arguments: WebFetch) -> Result<String, ToolError> {
    let asked = parse_url(&arguments.url)?;
    let (url, reply) = follow(http, asked.clone())?;
    let status = reply.status;
    let content_type = reply.header("content-type").unwrap_or_default();
    let (media_type, charset) = parse_content_type(&content_type);
    let packing = reply.header("content-encoding").filter(|name| name != "identity");
    let length =
        reply.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());

    let mut head = format!("{url} ({status}");
    if !media_type.is_empty() {
        head = format!("{head}, {media_type}");
    }
    if url != asked {
        head = format!("{head}, redirected from {asked}");
    }
    let size = length.map_or("of unknown size".to_owned(), |length| format!("{length} bytes"));
    let binary = |kind: &str| format!("{head})\n\nnot text and not shown: {kind}, {size}");
    if let Some(packing) = packing {
        return Ok(binary(&format!("packed with {packing}")));
    }
    let kind = kind_of_type(&media_type);
    if kind == Some(Kind::Binary) && is_success(status) {
        return Ok(binary(&media_type));
    }

    let body = (reply.read)(BODY).map_err(|failure| explain(&url, failure))?;
    let kind = kind.unwrap_or_else(|| kind_of_bytes(&body.bytes));
    if kind == Kind::Binary && is_success(status) {
        return Ok(binary("binary data"));
    }
    let text = decode(&body.bytes, charset.as_deref());
    let text = match (kind, arguments.format) {
        (Kind::Html, Format::Markdown) => page::markdown(&text, &url),
        (Kind::Html, Format::Text) => page::text(&text, &url),
        (Kind::Html, Format::Raw) | (Kind::Text | Kind::Binary, _) => text,
    };
    if !is_success(status) {
        return Err(refused_by_site(&url, status, kind, &text));
    }
    let wanted = arguments.length.unwrap_or(LENGTH).clamp(1, MOST_LENGTH);
    let part = page::part(&text, arguments.offset, wanted).map_err(ToolError::failed)?;
    let note = match body.is_cut {
        true => format!("\n(only the first {BODY} bytes were read, {size} in all)"),
        false => String::new(),
    };
    Ok(format!("{head})\n\n{part}{note}"))
}

fn parse_url(text: &str) -> Result<Url, ToolError> {
    let text = text.trim();
    let mut url = Url::parse(text).map_err(|error| {
        ToolError::failed(format!(
            "`{text}` is not a URL: {error}; write it whole, like `https://example.com/page`"
        ))
    })?;
    check(&url)?;
    url.set_fragment(None);
    Ok(url)
}

fn check(url: &Url) -> Result<(), ToolError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ToolError::failed(format!(
            "`{}:` cannot be fetched; only `https:` and `http:` can",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ToolError::failed(
            "the URL holds a user name or password; leave it out, credentials are the host's to add",
        ));
    }
    Ok(())
}

fn follow(http: &impl Http, mut url: Url) -> Result<(Url, Reply), ToolError> {
    for _ in 0..=REDIRECTS {
        let reply = http.get(&url).map_err(|failure| explain(&url, failure))?;
        let target = match reply.status {
            301 | 302 | 303 | 307 | 308 => reply.header("location"),
            _ => None,
        };
        let Some(target) = target else { return Ok((url, reply)) };
        let mut next = url.join(target.trim()).map_err(|error| {
            ToolError::failed(format!("`{url}` redirects to `{target}`, which is no URL: {error}"))
        })?;
        check(&next)?;
        next.set_fragment(None);
        // The rules and the person were asked about this place, not about another.
        if !is_same_place(&url, &next) {
            return Err(ToolError::failed(format!(
                "`{url}` redirects to `{next}`, another place; fetch that if it is what you want"
            )));
        }
        url = next;
    }
    Err(ToolError::failed(format!(
        "more than {REDIRECTS} redirects, the last one to `{url}`; fetch that if it is what you want"
    )))
}

/// The same host, at the same port or at the port of the safer scheme.
fn is_same_place(from: &Url, to: &Url) -> bool {
    let made_safer = from.scheme() == "http"
        && to.scheme() == "https"
        && from.port().is_none()
        && to.port().is_none();
    from.host_str() == to.host_str() && (from.origin() == to.origin() || made_safer)
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn refused_by_site(url: &Url, status: u16, kind: Kind, text: &str) -> ToolError {
    let advice = match status {
        401 | 403 => "the site wants a login or refuses programs",
        404 | 410 => "there is no such page; check the URL",
        429 => "too many requests; wait before trying again",
        500.. => "the site has a problem; try again later",
        _ => "the site did not answer with a page",
    };
    let said: String = match kind {
        Kind::Binary => String::new(),
        Kind::Html | Kind::Text => text.chars().take(ERROR_BODY).collect(),
    };
    ToolError::failed(format!("`{url}` answered {status}: {advice}\n\n{said}").trim_end())
}

/// A failure in words that say what to do.
fn explain(url: &Url, failure: Failure) -> ToolError {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    // A pattern without a scheme is one for `https`.
    let scheme = if url.scheme() == "http" { "http://" } else { "" };
    ToolError::failed(match failure {
        Failure::Denied => format!(
            "the host refused `{url}`: grant it with \
             `hydroid component grant tool-web web --host {scheme}{host}:{port}`"
        ),
        Failure::PrivateAddress => format!(
            "the address of `{host}` is private or special, and the host does not connect to it; \
             `egress.allow_private = [\"ip:port\"]` in the configuration opens one"
        ),
        Failure::UnknownHost => {
            format!("no address is known for `{host}`; check the spelling of the URL")
        }
        Failure::Unreachable => {
            format!("nothing answers at `{host}:{port}`; check the URL or try again later")
        }
        Failure::Timeout => format!("`{host}` took too long to answer; try again later"),
        Failure::Tls => format!(
            "no trusted connection to `{host}:{port}`: its certificate or protocol was not accepted"
        ),
        Failure::Other(reason) => format!("`{url}` could not be fetched: {reason}"),
        Failure::Cancelled(error) => return error.into(),
    })
}

#[cfg(test)]
mod tests;
