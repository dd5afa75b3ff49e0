//! A server that sends back all it was sent, in every encoding it knows, and gives out tokens.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The first token a server gives; the next ones have a higher number.
pub(super) const FIRST_TOKEN: &str = "tok-1-mF_9.B5f-4.1JqM";

/// What a server was asked and how it answers.
#[derive(Clone)]
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<String>,
    /// Tokens given.
    tokens: u32,
    /// Members added to each token answer.
    extra: serde_json::Map<String, serde_json::Value>,
    /// Tokens up to this number are answered with 401.
    revoked: u32,
    /// The answer of the token endpoint instead of a token.
    refusal: Option<(u16, String)>,
    /// Requests with this text are answered with this status.
    refused: Vec<(String, u16)>,
}

impl Echo {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let handling = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = handling.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        server
    }

    /// Head and body of each request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Requests for a token so far.
    pub(super) fn exchanges(&self) -> Vec<String> {
        self.requests().into_iter().filter(|request| request.starts_with("POST /token ")).collect()
    }

    pub(super) fn extra(&self, members: serde_json::Value) {
        self.state.lock().unwrap().extra = members.as_object().unwrap().clone();
    }

    pub(super) fn revoke_all(&self) {
        let mut state = self.state.lock().unwrap();
        state.revoked = state.tokens;
    }

    /// Answers requests with this text so, and all others as ever.
    pub(super) fn refuse(&self, refused: &[(&str, u16)]) {
        let refused = refused.iter().map(|(text, status)| ((*text).to_owned(), *status));
        self.state.lock().unwrap().refused = refused.collect();
    }

    pub(super) fn refuse_tokens(&self, status: u16, body: &str) {
        self.state.lock().unwrap().refusal = Some((status, body.to_owned()));
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok()).flatten()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let request = format!("{head}{}", String::from_utf8(body).unwrap());
        let (status, body) = self.handle(&request);
        let echoed = request.lines().find_map(|line| line.strip_prefix("authorization: "));
        let head = format!(
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: text/plain\r\nSet-Cookie: a={0}\r\nWWW-Authenticate: {0}\r\nX-Echo: {0}\r\nContent-Length: {1}\r\n\r\n",
            echoed.unwrap_or("none"),
            body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        // In pieces that cut every value somewhere.
        for piece in body.as_bytes().chunks(7) {
            if stream.write_all(piece).is_err() {
                return;
            }
        }
    }

    fn handle(&self, request: &str) -> (u16, String) {
        let mut state = self.state.lock().unwrap();
        state.requests.push(request.to_owned());
        if request.starts_with("POST /token ") || request.starts_with("GET /token ") {
            if let Some(refusal) = &state.refusal {
                return refusal.clone();
            }
            // Long enough that two exchanges at once would be seen.
            std::thread::sleep(std::time::Duration::from_millis(30));
            state.tokens += 1;
            let token = FIRST_TOKEN.replace("-1-", &format!("-{}-", state.tokens));
            let mut answer = serde_json::json!({"access_token": token, "token_type": "Bearer"});
            if state.extra.contains_key("token") {
                answer = serde_json::json!({});
            }
            answer.as_object_mut().unwrap().extend(state.extra.clone());
            return (200, answer.to_string());
        }
        let refused = state.refused.iter().find(|(text, _)| request.contains(text));
        if let Some((_, status)) = refused {
            return (*status, "not with this".into());
        }
        let revoked = (1..=state.revoked).any(|number| request.contains(&format!("tok-{number}-")));
        if revoked {
            return (401, "expired".into());
        }
        let mut all = encodings(request.as_bytes());
        // Each value alone too: where it begins decides how base64 writes it.
        for word in request.split([' ', '\r', '\n', '=', '&', '?', '/', ',', ':']) {
            all.extend(encodings(word.as_bytes()));
        }
        for line in request.lines().filter_map(|line| line.split_once(": ")) {
            all.extend(encodings(line.1.as_bytes()));
        }
        (200, all.join("\n"))
    }
}

/// A text in the encodings in which services show what they were sent.
pub(super) fn encodings(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    vec![
        hex::encode(bytes),
        hex::encode_upper(bytes),
        STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(bytes),
        url::form_urlencoded::byte_serialize(bytes).collect(),
        serde_json::Value::from(text.as_str()).to_string().trim_matches('"').to_owned(),
        text,
    ]
}

/// What base64 writes for a text wherever it begins, without what depends on its neighbours.
pub(super) fn inner_base64(bytes: &[u8]) -> Vec<String> {
    (1..3)
        .map(|offset| {
            let padded = [vec![0; offset], bytes.to_vec()].concat();
            let whole = padded.len() / 3 * 4;
            STANDARD.encode(&padded).get(4..whole).unwrap_or_default().to_owned()
        })
        .collect()
}
