//! `hydroid mcp login` as a person uses it, against a service that follows a script: what is asked
//! for, what is kept of that, and what a person is told who allowed too little.

use super::web::{Answered, Asked, Service};
use crate::support::hydroid::{Home, Ran};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use url::Url;

/// What the tool is refused without.
const MORE: &str = "files:write";

/// Scopes by the code and the tokens that stand for them.
#[derive(Default)]
struct Given(Mutex<BTreeMap<String, String>>);

impl Given {
    fn new_for(&self, scopes: String, kind: &str) -> String {
        let mut given = self.0.lock().expect("no holder panics");
        let name = format!("{kind}-{}", given.len());
        given.insert(name.clone(), scopes);
        name
    }

    fn of(&self, name: &str) -> Option<String> {
        self.0.lock().expect("no holder panics").get(name).cloned()
    }
}

/// A server, and who signs in to it. Nobody is given `never`.
fn service() -> Service {
    let given = Given::default();
    Service::start(move |asked, origin| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match path {
            "/.well-known/oauth-protected-resource/mcp" => Answered::json(
                200,
                json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [origin] }),
            ),
            "/.well-known/oauth-authorization-server" => Answered::json(
                200,
                json!({
                    "issuer": origin,
                    "authorization_endpoint": format!("{origin}/authorize"),
                    "token_endpoint": format!("{origin}/token"),
                    "registration_endpoint": format!("{origin}/register"),
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                }),
            ),
            "/register" => Answered::json(201, json!({ "client_id": "app" })),
            "/authorize" => authorized(asked, origin, &given),
            "/token" => exchanged(asked, &given),
            "/mcp" => served(asked, origin, &given),
            _ => Answered::empty(404),
        }
    })
}

fn authorized(asked: &Asked, origin: &str, given: &Given) -> Answered {
    let asked = Url::parse(&format!("{origin}{}", asked.path)).expect("an address");
    let values: BTreeMap<String, String> = asked.query_pairs().into_owned().collect();
    let scopes = values.get("scope").cloned().unwrap_or_default();
    let mut back = Url::parse(&values["redirect_uri"]).expect("an address");
    let outcome = if scopes.contains("never") {
        ("error", "access_denied".to_owned())
    } else {
        ("code", given.new_for(scopes, "code"))
    };
    back.query_pairs_mut()
        .append_pair("state", &values["state"])
        .append_pair(outcome.0, &outcome.1);
    Answered::empty(302).with("location", back.as_str())
}

fn exchanged(asked: &Asked, given: &Given) -> Answered {
    let form: BTreeMap<String, String> =
        url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    let shown = form.get("code").or(form.get("refresh_token")).cloned().unwrap_or_default();
    let Some(scopes) = given.of(&shown) else {
        return Answered::json(400, json!({ "error": "invalid_grant" }));
    };
    let (access, refresh) =
        (given.new_for(scopes.clone(), "access"), given.new_for(scopes.clone(), "refresh"));
    let token = json!({
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": scopes,
    });
    Answered::json(200, token)
}

fn served(asked: &Asked, origin: &str, given: &Given) -> Answered {
    let token = asked.header("authorization").and_then(|shown| shown.strip_prefix("Bearer "));
    let Some(scopes) = token.and_then(|token| given.of(token)) else {
        let place = format!("{origin}/.well-known/oauth-protected-resource/mcp");
        return Answered::empty(401).with(
            "www-authenticate",
            &format!("Bearer resource_metadata=\"{place}\", scope=\"read\""),
        );
    };
    match asked.wants().as_str() {
        "initialize" => asked.result(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "guarded", "version": "1" },
        })),
        "tools/list" => asked.result(json!({
            "tools": [{ "name": "write", "description": "Writes", "inputSchema": { "type": "object" } }],
        })),
        "tools/call" if !scopes.split(' ').any(|scope| scope == MORE) => Answered::empty(403).with(
            "www-authenticate",
            &format!("Bearer error=\"insufficient_scope\", scope=\"{MORE}\""),
        ),
        "tools/call" => asked.result(json!({ "content": [{ "type": "text", "text": "written" }] })),
        _ => Answered::empty(202),
    }
}

/// Goes where a browser would, and where that is sent back to.
fn browse(address: &str) {
    let url = Url::parse(address).expect("an address");
    let place = (url.host_str().expect("a host"), url.port().expect("a port"));
    let mut stream = TcpStream::connect(place).expect("somebody listens");
    let path = &url[url::Position::BeforePath..];
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\n\r\n",
        place.0, place.1
    )
    .expect("it is read");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    let back = said.lines().find_map(|line| line.strip_prefix("location: "));
    if let Some(back) = back {
        browse(back);
    }
}

/// Signs in, and answers with the scopes that were asked for.
fn login(home: &Home, arguments: &[&str]) -> (Ran, Vec<String>) {
    let mut child = home.start(&[&["mcp", "login", "docs", "--yes"], arguments].concat());
    let mut lines = BufReader::new(child.stderr.take().expect("it was asked for")).lines();
    let mut stderr = String::new();
    let mut scopes = Vec::new();
    for line in lines.by_ref().map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("open   ") {
            let url = Url::parse(address).expect("an address");
            let asked = url.query_pairs().find(|(name, _)| name == "scope");
            let asked = asked.map(|(_, value)| value.into_owned()).unwrap_or_default();
            scopes = asked.split(' ').map(str::to_owned).collect();
            browse(address);
        }
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let output = child.wait_with_output().expect("hydroid ends");
    let stdout = String::from_utf8(output.stdout).expect("hydroid writes UTF-8");
    (Ran { code: output.status.code(), stdout, stderr }, scopes)
}

fn kept(home: &Home) -> Value {
    let list = home.run(&["mcp", "list", "--json"]).code(0);
    list.json_lines()[0][0]["place"]["oauth"]["scopes"].clone()
}

#[test]
fn what_a_server_wants_more_is_asked_for_once_and_kept() {
    let service = service();
    let home = service.home();
    let tells = "`hydroid mcp login docs --scope files:write`";
    home.run(&["mcp", "add", "docs", &service.url(), "--yes"]).code(0).says("wants you to sign in");
    let (ran, scopes) = login(&home, &[]);
    ran.code(0).says("docs is allowed");
    assert_eq!((scopes, kept(&home)), (vec!["read".to_owned()], Value::Null));

    // Whoever calls is told the command, a person and a model.
    home.run(&["mcp", "call", "docs", "write"]).code(1).tells(tells);
    let call = ["ask", "call mcp_docs_write {}", "--allow", "mcp_docs_write"];
    home.run(&call).says(tells);

    let (ran, scopes) = login(&home, &["--scope", MORE]);
    ran.code(0).says("signed in to docs");
    assert_eq!((scopes, kept(&home)), (vec!["read".into(), MORE.into()], json!([MORE])));
    home.run(&["mcp", "call", "docs", "write"]).code(0).says("written");
    home.run(&call).code(0).says("written");

    let (ran, scopes) = login(&home, &["--scope", "admin", "--scope", MORE]);
    ran.code(0);
    let all = vec!["read".to_owned(), MORE.into(), "admin".into()];
    assert_eq!((scopes, kept(&home)), (all.clone(), json!([MORE, "admin"])));
    home.run(&["mcp", "show", "docs"]).code(0).says("scopes  files:write admin");

    // What was refused is not kept, and what was had is had on.
    let (ran, scopes) = login(&home, &["--scope", "never"]);
    ran.code(1).tells("access_denied");
    assert_eq!(scopes.last().map(String::as_str), Some("never"));
    assert_eq!(kept(&home), json!([MORE, "admin"]));
    home.run(&["mcp", "call", "docs", "write"]).code(0).says("written");

    let (ran, scopes) = login(&home, &[]);
    ran.code(0);
    assert_eq!(scopes, all);
}

#[test]
fn what_is_no_scope_is_refused_before_anything_is_sent() {
    let service = service();
    let home = service.home();
    home.run(&["mcp", "add", "docs", &service.url(), "--yes"]).code(0);
    let before = service.answered().len();
    for scope in ["", "two words", "quo\"te", "back\\slash", "é"] {
        home.run(&["mcp", "login", "docs", "--scope", scope]).code(2).tells("is no scope");
    }
    assert_eq!(service.answered().len(), before);
}
