//! A name server that answers as a test wants, another time each time if need be. Only what the
//! tests need of RFC 1035: one question, answers without compression but for the question's name.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// One answer to a question for addresses.
#[derive(Clone, Debug)]
pub(super) enum Record {
    Address(IpAddr),
    /// The name is another one, which has these addresses.
    Alias(&'static str, Vec<IpAddr>),
}

/// A running server; its thread ends with the process.
pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

impl NameServer {
    /// Answers by name and by how often it was asked for addresses of that family before. No
    /// record at all means that there is no such name.
    pub(super) fn start(answer: impl Fn(&str, usize) -> Vec<Record> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = Self { address: socket.local_addr().unwrap(), asked: Arc::default() };
        let asked = server.asked.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some((name, kind, question)) = question(&buffer[..length]) else { continue };
                let line = format!("{name} {kind}");
                let before = {
                    let mut asked = asked.lock().unwrap();
                    let before = asked.iter().filter(|other| **other == line).count();
                    asked.push(line);
                    before
                };
                let reply = reply(&buffer[..2], question, kind, &answer(&name, before));
                socket.send_to(&reply, from).unwrap();
            }
        });
        server
    }

    /// A server of fixed names.
    pub(super) fn of(names: &'static [(&'static str, &'static [&'static str])]) -> Self {
        Self::start(move |name, _| {
            let found = names.iter().find(|(known, _)| *known == name);
            found.map_or(Vec::new(), |(_, addresses)| records(addresses))
        })
    }

    /// How often it was asked for IPv4 addresses of a name.
    pub(super) fn asked_for(&self, name: &str) -> usize {
        let line = format!("{name} {A}");
        self.asked.lock().unwrap().iter().filter(|asked| **asked == line).count()
    }
}

pub(super) fn records(addresses: &[&str]) -> Vec<Record> {
    addresses.iter().map(|address| Record::Address(address.parse().unwrap())).collect()
}

/// Name without the last dot, type, and the question's bytes.
fn question(message: &[u8]) -> Option<(String, u16, &[u8])> {
    let mut labels = Vec::new();
    let mut rest = message.get(12..)?;
    loop {
        let (length, after) = rest.split_first()?;
        if *length == 0 {
            let kind = u16::from_be_bytes([*after.first()?, *after.get(1)?]);
            let end = message.len() - after.len() + 4;
            let name = labels.join(".").to_ascii_lowercase();
            return Some((name, kind, message.get(12..end)?));
        }
        labels.push(String::from_utf8_lossy(after.get(..usize::from(*length))?).into_owned());
        rest = after.get(usize::from(*length)..)?;
    }
}

fn reply(id: &[u8], question: &[u8], kind: u16, records: &[Record]) -> Vec<u8> {
    let mut answers = Vec::new();
    for record in records {
        match record {
            Record::Address(address) => answers.extend(resource(&[0xc0, 12], *address, kind)),
            Record::Alias(name, addresses) => {
                let target = encoded(name);
                answers.push(written(&[0xc0, 12], CNAME, &target));
                let of_kind =
                    addresses.iter().filter_map(|address| resource(&target, *address, kind));
                answers.extend(of_kind);
            }
        }
    }
    // Recursion was wanted and is there; without any record there is no such name.
    let flags: u16 = if records.is_empty() { 0x8183 } else { 0x8180 };
    let mut message = id.to_vec();
    for number in [flags, 1, u16::try_from(answers.len()).unwrap(), 0, 0] {
        message.extend(number.to_be_bytes());
    }
    message.extend(question);
    message.extend(answers.concat());
    message
}

fn resource(name: &[u8], address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    match address {
        IpAddr::V4(v4) if kind == A => Some(written(name, A, &v4.octets())),
        IpAddr::V6(v6) if kind == AAAA => Some(written(name, AAAA, &v6.octets())),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// A record that may not be kept.
fn written(name: &[u8], kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    let head = [kind.to_be_bytes(), 1_u16.to_be_bytes(), [0, 0], [0, 0], length.to_be_bytes()];
    [name, &head.concat(), value].concat()
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
