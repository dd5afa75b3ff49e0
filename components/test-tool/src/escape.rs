//! Trying the doors that WASI would open, were they not shut: files, sockets, environment.

#![expect(clippy::disallowed_methods, reason = "what these doors give is the test")]

use std::io::Read;

use hydroid_component::tool::{Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::arguments::{Nothing, Path, start, tried};

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("read_env", "Tells variables, arguments, directory and input.", read_env)
            .read_only(),
        Tool::new("socket", "Connects, sends, listens and resolves by sockets.", socket)
            .read_only(),
        Tool::new("std_read", "Reads and lists a path by `std::fs`.", std_read).read_only(),
        Tool::new(
            "std_write",
            "Writes, links and removes by `std::fs`, and says it does not.",
            std_write,
        )
        .read_only(),
    ]
}

fn read_env(Nothing {}: Nothing) -> Result<String, ToolError> {
    let mut told = String::new();
    for (name, value) in std::env::vars_os() {
        told += &format!("variable: {}={}\n", name.display(), value.display());
    }
    for argument in std::env::args_os() {
        told += &format!("argument: {}\n", argument.display());
    }
    told += &tried("directory", std::env::current_dir().map(|path| path.display().to_string()));
    let mut input = Vec::new();
    let read = std::io::stdin().take(1000).read_to_end(&mut input);
    told += &tried("input", read.map(|_| start(&input)));
    Ok(told)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Socket {
    /// Address and port, such as `127.0.0.1:80`.
    address: String,
}

fn socket(arguments: Socket) -> Result<String, ToolError> {
    use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
    let address = arguments.address.as_str();
    let send = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.send_to(b"escaped", address)
    };
    let resolve = || {
        let found = address.to_socket_addrs()?.map(|found| found.to_string());
        Ok::<_, std::io::Error>(found.collect::<Vec<_>>().join(" "))
    };
    Ok([
        tried("tcp connect", TcpStream::connect(address).map(|_| "connected")),
        tried("tcp listen", TcpListener::bind("0.0.0.0:0").map(|_| "listening")),
        tried("udp send", send()),
        // A numeric address is no question to a resolver; a name is.
        tried("resolve", resolve()),
    ]
    .concat())
}

pub(crate) fn std_read(arguments: Path) -> Result<String, ToolError> {
    let path = arguments.path.as_str();
    let list = || {
        let names: Result<Vec<_>, std::io::Error> = std::fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect();
        Ok::<_, std::io::Error>(names?.join(" "))
    };
    Ok([
        tried("std read", std::fs::read(path).map(|bytes| start(&bytes))),
        tried("std list", list()),
        tried("std stat", std::fs::metadata(path).map(|metadata| metadata.len())),
    ]
    .concat())
}

pub(crate) fn std_write(arguments: Path) -> Result<String, ToolError> {
    let path = arguments.path.as_str();
    let beside = format!("{path}.escaped");
    let done = |()| "done";
    Ok([
        tried("std write", std::fs::write(path, b"escaped").map(done)),
        tried("std make directory", std::fs::create_dir_all(&beside).map(done)),
        tried("std hard link", std::fs::hard_link(path, format!("{beside}.link")).map(done)),
        tried("std rename", std::fs::rename(path, format!("{beside}.renamed")).map(done)),
        tried("std remove", std::fs::remove_file(path).map(done)),
    ]
    .concat())
}
