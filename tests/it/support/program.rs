//! Programs of others that some tests start. No test.

use std::ffi::OsString;

/// The program, or none where it is not there and that may be, which is anywhere but in
/// continuous integration; `remedy` says what puts it there.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn or_left_out(program: Option<OsString>, name: &str, remedy: &str) -> Option<OsString> {
    if program.is_none() {
        let missing = format!("{name} is not installed; {remedy}");
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("skipped: {missing}");
    }
    program
}

/// The same for one that `cargo xtask test` installs and names in a variable.
pub(crate) fn of_xtask(variable: &str, name: &str) -> Option<OsString> {
    let remedy = "`cargo xtask test` installs it where npm is there";
    or_left_out(std::env::var_os(variable), name, remedy)
}
