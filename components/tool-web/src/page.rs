//! HTML made readable: Markdown or plain text, title first, without what is not content. Not a
//! layout engine, and nothing here recurses with the page, whose depth its author chooses.

use std::rc::Rc;

use htmd::{HtmlToMarkdown, Node};
use markup5ever_rcdom::NodeData;
use url::Url;

/// Elements without content of the page.
const NOISE: [&str; 11] = [
    "script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "nav",
    "footer", "aside",
];

/// Elements that start on a new line in plain text.
const BLOCKS: [&str; 22] = [
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dt",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "main",
    "p",
    "pre",
    "section",
    "table",
    "tr",
];

/// Depth of elements the converter is given: it recurses, and no page a person wrote is deeper.
const DEPTH: usize = 250;

/// The page as Markdown, or as plain text if it nests too deep for that.
pub(crate) fn markdown(html: &str, base: &Url) -> String {
    let converter = HtmlToMarkdown::builder().skip_tags([&NOISE[..], &["title"]].concat()).build();
    let Ok(tree) = converter.html_to_tree(html) else {
        return html.to_owned();
    };
    let survey = survey(&tree, base);
    let body = match survey.depth {
        ..DEPTH => converter.tree_to_markdown(&tree),
        _ => survey.text,
    };
    let body = body.trim();
    match survey.title {
        Some(title) if !body.starts_with(&format!("# {title}")) => format!("# {title}\n\n{body}"),
        _ => body.to_owned(),
    }
}

/// The page as plain text.
pub(crate) fn text(html: &str, base: &Url) -> String {
    let Ok(tree) = HtmlToMarkdown::new().html_to_tree(html) else {
        return html.to_owned();
    };
    let survey = survey(&tree, base);
    match survey.title {
        Some(title) if !survey.text.starts_with(&title) => format!("{title}\n\n{}", survey.text),
        _ => survey.text,
    }
}

struct Survey {
    title: Option<String>,
    depth: usize,
    text: String,
}

enum Step {
    Enter(Rc<Node>, usize),
    Break,
}

/// Goes through the page once: finds its title and depth, gathers its text, and makes links
/// absolute on the way.
fn survey(tree: &Rc<Node>, base: &Url) -> Survey {
    let mut survey = Survey { title: None, depth: 0, text: String::new() };
    let mut steps = vec![Step::Enter(tree.clone(), 0)];
    while let Some(step) = steps.pop() {
        let Step::Enter(node, depth) = step else {
            survey.break_line();
            continue;
        };
        survey.depth = survey.depth.max(depth);
        match &node.data {
            NodeData::Text { contents } => survey.push(&contents.borrow()),
            NodeData::Element { name, .. } => {
                let name: &str = &name.local;
                if name == "title" && survey.title.is_none() {
                    survey.title = title(&node);
                }
                if name == "title" || NOISE.contains(&name) {
                    // The converter skips these too, so their depth does not matter.
                    continue;
                }
                make_absolute(&node, base);
                if BLOCKS.contains(&name) {
                    survey.break_line();
                    steps.push(Step::Break);
                }
            }
            NodeData::Document
            | NodeData::Doctype { .. }
            | NodeData::Comment { .. }
            | NodeData::ProcessingInstruction { .. } => {}
        }
        let children = node.children.borrow();
        steps.extend(children.iter().rev().map(|child| Step::Enter(child.clone(), depth + 1)));
    }
    survey.text = survey.text.trim().to_owned();
    survey
}

impl Survey {
    fn push(&mut self, text: &str) {
        for (index, word) in text.split_whitespace().enumerate() {
            let spaced = index > 0 || text.starts_with(char::is_whitespace);
            if spaced && !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
        if text.ends_with(char::is_whitespace) && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    fn break_line(&mut self) {
        let trimmed = self.text.trim_end_matches(' ').len();
        self.text.truncate(trimmed);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

fn title(node: &Node) -> Option<String> {
    let children = node.children.borrow();
    let text: String = children
        .iter()
        .filter_map(|child| match &child.data {
            NodeData::Text { contents } => Some(contents.borrow().to_string()),
            _ => None,
        })
        .collect();
    let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then_some(title)
}

/// Makes the links of an element absolute, and takes out bytes written as a link.
fn make_absolute(node: &Node, base: &Url) {
    let NodeData::Element { attrs, .. } = &node.data else { return };
    for attribute in attrs.borrow_mut().iter_mut() {
        let name: &str = &attribute.name.local;
        if name != "href" && name != "src" {
            continue;
        }
        let value: &str = &attribute.value;
        if value.trim_start().starts_with("data:") {
            attribute.value = "data:".into();
        } else if let Ok(link) = base.join(value) {
            attribute.value = link.as_str().into();
        }
    }
}

/// A part of a text, counted in characters, with a note that says how to go on.
pub(crate) fn part(text: &str, offset: usize, length: usize) -> Result<String, String> {
    let total = text.chars().count();
    if offset > 0 && offset >= total {
        return Err(format!("the page has only {total} characters; give a smaller `offset`"));
    }
    let shown: String = text.chars().skip(offset).take(length).collect();
    let end = offset.saturating_add(length).min(total);
    if offset == 0 && end == total {
        return Ok(shown);
    }
    let next = match end < total {
        true => format!("; go on with offset {end}"),
        false => ", the end".to_owned(),
    };
    Ok(format!("{shown}\n\n(characters {offset}-{end} of {total}{next})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("https://example.com/dir/page").unwrap()
    }

    const PAGE: &str = "<!doctype html><html><head><title> A\n page </title><style>p{}</style></head>\
        <body><nav><a href=/>Home</a></nav><h2>Part</h2><p>Some <b>bold</b> text &amp; \
        <a href='next?x=1'>a link</a>.</p><script>alert(1)</script><img alt=dot \
        src='data:image/png;base64,AAAA'><ul><li>one<li>two</ul><footer>imprint</footer></body></html>";

    #[test]
    fn a_page_becomes_markdown_with_title_and_without_noise() {
        let markdown = markdown(PAGE, &base());
        assert!(markdown.starts_with("# A page\n\n## Part\n\nSome **bold** text & "), "{markdown}");
        assert!(markdown.contains("[a link](https://example.com/dir/next?x=1)"), "{markdown}");
        assert!(markdown.contains("*   one\n*   two"), "{markdown}");
        for noise in ["Home", "alert", "imprint", "p{}", "AAAA"] {
            assert!(!markdown.contains(noise), "{noise} in {markdown}");
        }
    }

    #[test]
    fn a_page_becomes_plain_text() {
        assert_eq!(text(PAGE, &base()), "A page\n\nPart\nSome bold text & a link.\none\ntwo");
    }

    #[test]
    fn the_title_is_not_said_twice() {
        let page = "<title>Same</title><h1>Same</h1><p>x</p>";
        assert_eq!(markdown(page, &base()), "# Same\n\nx");
    }

    #[test]
    fn pages_that_nest_without_end_become_text_instead_of_a_crash() {
        let deep = format!("{}deep inside{}", "<div>".repeat(5_000), "</div>".repeat(5_000));
        assert_eq!(markdown(&deep, &base()), "deep inside");
        let quotes = format!("{}q", "<blockquote><ul><li>".repeat(1_000));
        assert_eq!(markdown(&quotes, &base()), "q");
        let hidden = format!("<nav>{}</nav>x", "<b><i>".repeat(1_000));
        assert!(markdown(&hidden, &base()).contains('x'));
    }

    #[test]
    fn odd_pages_give_something() {
        for page in
            ["", "<", "plain", "<title></title>", "<a href='http://['>x</a>", "\u{0}", "<td>🦀"]
        {
            markdown(page, &base());
            text(page, &base());
        }
    }

    #[test]
    fn parts_meet_and_are_cut_between_characters() {
        assert_eq!(part("aä€🦀", 0, 10).unwrap(), "aä€🦀");
        assert_eq!(
            part("aä€🦀", 1, 2).unwrap(),
            "ä€\n\n(characters 1-3 of 4; go on with offset 3)"
        );
        assert_eq!(part("aä€🦀", 3, usize::MAX).unwrap(), "🦀\n\n(characters 3-4 of 4, the end)");
        assert!(part("aä€🦀", 4, 1).unwrap_err().contains("only 4 characters"));
        assert_eq!(part("", 0, 1).unwrap(), "");
    }
}
