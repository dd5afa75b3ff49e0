//! Files that come inside a request, as OpenAI's clients hand them over, read into attachments.
//! Nothing is fetched.

use super::wire::Failure;
use crate::uploads::is_media_type;
use base64::Engine as _;
use hydroid_core::message::{Bytes, Content, Label, Part};
use hydroid_core::protocol::LARGEST_ATTACHMENT;

/// Characters of a file's name.
const LONGEST_NAME: usize = 255;

/// What a `data:` address has in it. The host fetches nothing on a client's word.
pub(super) fn from_url(url: &str, name: Option<&str>, path: &str) -> Result<Part, Failure> {
    let data = url
        .get(..5)
        .filter(|scheme| scheme.eq_ignore_ascii_case("data:"))
        .and_then(|_| url.get(5..))
        .and_then(|rest| rest.split_once(','));
    let Some((about, data)) = data else {
        let text =
            "a file is handed over as `data:TYPE;base64,…`; the host fetches nothing for a client";
        return Err(Failure::invalid(Some(path), "invalid_value", text));
    };
    let mut about = about.split(';').map(str::trim);
    let media_type = about.next().unwrap_or_default().to_ascii_lowercase();
    if about.next_back() != Some("base64") {
        let text = "the data of a file is in base64: `data:TYPE;base64,…`";
        return Err(Failure::invalid(Some(path), "invalid_value", text));
    }
    attachment(&media_type, data, name, path)
}

/// A file as a part of what is said.
pub(super) fn attachment(
    media_type: &str,
    data: &str,
    name: Option<&str>,
    path: &str,
) -> Result<Part, Failure> {
    let refused = |code, text: &str| Err(Failure::invalid(Some(path), code, text));
    if !is_media_type(media_type) {
        return refused(
            "invalid_value",
            "images, documents and sounds can be attached: the media type is like `image/png`, `application/pdf` or `audio/mpeg`",
        );
    }
    let Ok(data) = base64::engine::general_purpose::STANDARD.decode(data) else {
        return refused("invalid_base64", "the data of a file is no base64");
    };
    if data.is_empty() || data.len() as u64 > LARGEST_ATTACHMENT {
        let text = format!("an attachment has 1 to {LARGEST_ATTACHMENT} bytes");
        return refused("invalid_value", &text);
    }
    let name: String = name
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '/' | '\\'))
        .take(LONGEST_NAME)
        .collect();
    let name = if name.is_empty() { default_name(media_type) } else { name };
    let label = Label::file(name.clone());
    let media_type = media_type.to_owned();
    Ok(Part::new(Content::Media { media_type, data: Bytes(data), name: Some(name) }, label))
}

fn default_name(media_type: &str) -> String {
    let kind = media_type.split('/').next().unwrap_or_default();
    match kind {
        "image" | "audio" | "video" => kind.to_owned(),
        _ => "file".to_owned(),
    }
}
