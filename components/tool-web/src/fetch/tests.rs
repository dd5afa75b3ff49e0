//! Whole calls over a site in memory that checks what is asked of it.

use std::cell::RefCell;

use super::*;
use crate::http::Body;

type Page = (&'static str, u16, &'static [(&'static str, &'static str)], Vec<u8>);

/// Answers by URL; anything else is denied, as the host does.
struct Site {
    pages: Vec<Page>,
    asked: RefCell<Vec<String>>,
}

impl Site {
    fn new(pages: Vec<Page>) -> Self {
        Site { pages, asked: RefCell::default() }
    }
}

impl Http for Site {
    fn get(&self, url: &Url) -> Result<Reply, Failure> {
        assert!(url.fragment().is_none(), "a fragment was sent: {url}");
        self.asked.borrow_mut().push(url.to_string());
        let (_, status, headers, body) =
            self.pages.iter().find(|page| page.0 == url.as_str()).ok_or(Failure::Denied)?;
        let body = body.clone();
        Ok(Reply {
            status: *status,
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            read: Box::new(move |limit| {
                let is_cut = body.len() > limit;
                Ok(Body { bytes: body.into_iter().take(limit).collect(), is_cut })
            }),
        })
    }
}

fn fetch(site: &Site, url: &str) -> Result<String, ToolError> {
    web_fetch(site, WebFetch { url: url.into(), ..WebFetch::default() })
}

#[track_caller]
fn refusal(site: &Site, url: &str) -> String {
    match fetch(site, url) {
        Err(ToolError::Failed(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

const HTML: &[(&str, &str)] = &[("Content-Type", "text/html; charset=utf-8")];

#[test]
fn a_page_comes_as_markdown_in_parts() {
    let page = format!("<title>T</title><p>{}</p>", "ä".repeat(30_000));
    let site = Site::new(vec![("https://a.example/", 200, HTML, page.into())]);
    let first = fetch(&site, "https://a.example/#part").unwrap();
    assert!(first.starts_with("https://a.example/ (200, text/html)\n\n# T\n\nä"), "{first}");
    assert!(first.ends_with("(characters 0-20000 of 30005; go on with offset 20000)"), "{first}");
    let rest = WebFetch { url: "https://a.example/".into(), offset: 20_000, ..WebFetch::default() };
    let rest = web_fetch(&site, rest).unwrap();
    assert!(rest.ends_with("(characters 20000-30005 of 30005, the end)"));
    assert_eq!((first + &rest).matches('ä').count(), 30_000);
}

#[test]
fn redirects_are_followed_one_request_at_a_time() {
    let site = Site::new(vec![
        ("https://a.example/", 302, &[("location", "/b#x")], vec![]),
        ("https://a.example/b", 301, &[("Location", "https://a.example/c")], vec![]),
        (
            "https://a.example/c",
            200,
            &[("content-type", "application/json")],
            b"{\"a\": 1}".to_vec(),
        ),
    ]);
    assert_eq!(
        fetch(&site, "https://a.example").unwrap(),
        "https://a.example/c (200, application/json, redirected from https://a.example/)\n\n{\"a\": 1}"
    );
    let asked = ["https://a.example/", "https://a.example/b", "https://a.example/c"];
    assert_eq!(*site.asked.borrow(), asked);
}

#[test]
fn a_redirect_leads_nowhere_the_host_would_not_allow() {
    let site = Site::new(vec![
        ("https://a.example/", 302, &[("location", "http://169.254.169.254/latest")], vec![]),
        ("https://a.example/file", 302, &[("location", "file:///etc/passwd")], vec![]),
        ("https://a.example/login", 302, &[("location", "https://u:p@a.example/")], vec![]),
        ("https://a.example/loop", 302, &[("location", "/loop")], vec![]),
        ("https://a.example/odd", 302, &[("location", "http://[")], vec![]),
    ]);
    assert!(refusal(&site, "https://a.example/").contains("another place; fetch that"));
    assert_eq!(site.asked.borrow().len(), 1);
    assert!(refusal(&site, "https://a.example/file").contains("`file:` cannot be fetched"));
    assert!(refusal(&site, "https://a.example/login").contains("user name or password"));
    assert!(refusal(&site, "https://a.example/odd").contains("which is no URL"));
    site.asked.borrow_mut().clear();
    assert!(refusal(&site, "https://a.example/loop").contains("more than 5 redirects"));
    assert_eq!(site.asked.borrow().len(), 6);
}

#[test]
fn binary_and_packed_bodies_are_described_and_not_read() {
    let site = Site::new(vec![
        (
            "https://a.example/i",
            200,
            &[("content-type", "image/png"), ("content-length", "12")],
            vec![0; 12],
        ),
        (
            "https://a.example/z",
            200,
            &[("content-type", "text/html"), ("content-encoding", "gzip")],
            vec![31],
        ),
        ("https://a.example/o", 200, &[], b"a\0b".to_vec()),
        ("https://a.example/t", 200, &[], b"just text".to_vec()),
    ]);
    let described = fetch(&site, "https://a.example/i").unwrap();
    assert!(described.ends_with("not text and not shown: image/png, 12 bytes"), "{described}");
    assert!(fetch(&site, "https://a.example/z").unwrap().contains("packed with gzip"));
    assert!(fetch(&site, "https://a.example/o").unwrap().contains("binary data, of unknown size"));
    assert!(fetch(&site, "https://a.example/t").unwrap().ends_with("\n\njust text"));
}

#[test]
fn failures_say_what_to_do() {
    let site = Site::new(vec![("https://a.example/x", 404, HTML, b"<h1>Gone</h1>".to_vec())]);
    let message = refusal(&site, "https://a.example/x");
    assert_eq!(
        message,
        "`https://a.example/x` answered 404: there is no such page; check the URL\n\n# Gone"
    );
    assert_eq!(
        refusal(&site, "https://b.example:8443/y"),
        "the host refused `https://b.example:8443/y`: grant it with \
         `hydroid component grant tool-web web --host b.example:8443`"
    );
    for url in [
        "",
        "example.com",
        "ftp://a.example",
        "javascript:alert(1)",
        "https://",
        "https://u@a.example/",
    ] {
        refusal(&site, url);
    }
}

#[test]
fn a_body_without_end_is_cut_with_a_note() {
    let site = Site::new(vec![(
        "https://a.example/",
        200,
        &[("content-type", "text/plain")],
        vec![b'x'; BODY + 1],
    )]);
    let text = fetch(&site, "https://a.example/").unwrap();
    assert!(
        text.ends_with("(only the first 4194304 bytes were read, of unknown size in all)"),
        "{}",
        &text[text.len() - 100..]
    );
}
