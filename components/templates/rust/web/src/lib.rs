//! {{description}}.

use hydroid_component::tool::ToolError;
use hydroid_component::web::{Body, Fetch};
use hydroid_component::{tool, tools};

tools!(page_title);

/// Most bytes of a page that are looked through for its title.
const MOST: usize = 256 << 10;

/// Says the title of a web page.
#[tool(read_only, open_world)]
fn page_title(
    /// The address, for example `https://example.com/`.
    #[schemars(extend("format" = "uri"))]
    url: String,
) -> Result<String, ToolError> {
    let mut response = Fetch::get(url).send_for_success()?;
    let mut page = Vec::new();
    while page.len() < MOST
        && let Some(piece) = response.read()?
    {
        page.extend(piece);
    }
    let page = String::from_utf8_lossy(&page);
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    match title {
        Some((title, _)) => Ok(title.trim().to_owned()),
        None => Err(ToolError::failed("the page has no title; try another address")),
    }
}
