//! Beginning anew: the host's process becomes one that reads the configuration as it is now, with
//! the same number, so that whoever watches it goes on watching.

use anyhow::{Context, Error};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Begins anew; it returns only what was in the way. Who chose an address by flag is found there
/// again, also where the system chose the port.
pub(crate) fn begin_anew(address: Option<SocketAddr>) -> Error {
    let program = match std::env::current_exe().context("this program cannot be found again") {
        Ok(program) => program,
        Err(error) => return error,
    };
    let arguments = arguments(std::env::args_os().skip(1), address);
    let error = Command::new(program).args(arguments).exec();
    Error::new(error).context("the host could not begin anew; `hydroid start` starts it")
}

/// What was typed, at the address that was had. A session of its own it has already.
fn arguments(typed: impl Iterator<Item = OsString>, address: Option<SocketAddr>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut typed = typed.filter(|argument| argument != "--detached");
    while let Some(argument) = typed.next() {
        let Some(address) = address else {
            kept.push(argument);
            continue;
        };
        if argument == "--bind" {
            typed.next();
            kept.extend(["--bind".into(), address.to_string().into()]);
        } else if argument.to_str().is_some_and(|text| text.starts_with("--bind=")) {
            kept.push(format!("--bind={address}").into());
        } else {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &[&str], address: Option<&str>, expect: &[&str]) {
        let address = address.map(|address| address.parse().unwrap());
        let kept = arguments(typed.iter().map(OsString::from), address);
        assert_eq!(kept, expect.iter().map(OsString::from).collect::<Vec<_>>());
    }

    #[test]
    fn the_same_is_begun_where_it_was() {
        let port = Some("127.0.0.1:4711");
        check(&["serve"], None, &["serve"]);
        check(
            &["serve", "--bind", "127.0.0.1:0", "--set", "a=b"],
            port,
            &["serve", "--bind", "127.0.0.1:4711", "--set", "a=b"],
        );
        check(&["serve", "--bind=127.0.0.1:0"], port, &["serve", "--bind=127.0.0.1:4711"]);
        check(&["serve", "--detached"], None, &["serve"]);
        check(&["serve", "--bind"], port, &["serve", "--bind", "127.0.0.1:4711"]);
    }
}
