//! What a person types or pipes in for a secret: never echoed, never an argument, wiped after use.

use crate::exit::usage;
use crate::secrets::LONGEST;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::ports::SecretValue;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// A file with many secrets; one that is larger was named by mistake.
const LONGEST_FILE: u64 = 1 << 20;

/// The scrubber does not mask what is shorter: it would be found in any text.
const SHORTEST_MASKED: usize = 6;

/// The value of a secret, asked for in a terminal and else read from standard input.
pub(super) fn value(name: &str) -> Result<SecretValue> {
    let text = if std::io::stdin().is_terminal() {
        let asked = format!("value of `{name}` (not shown): ");
        Zeroizing::new(rpassword::prompt_password(asked).context("the terminal cannot be read")?)
    } else {
        read(std::io::stdin().lock(), LONGEST, "standard input")?
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(usage(format!(
            "there is no value; type one, or pipe it in: `hydroid secret set {name} < FILE`"
        )));
    }
    if text.chars().count() < SHORTEST_MASKED {
        terminal::say(&format!(
            "`{name}` has less than {SHORTEST_MASKED} characters, so it is not masked where it appears in other texts"
        ));
    }
    Ok(SecretValue::new(text.to_owned()))
}

/// The text to import.
pub(super) fn text(file: Option<&Path>) -> Result<Zeroizing<String>> {
    let Some(path) = file.filter(|path| *path != Path::new("-")) else {
        if std::io::stdin().is_terminal() {
            terminal::say("reading `NAME=value` lines from standard input; end with Ctrl-D");
        }
        return read(std::io::stdin().lock(), LONGEST_FILE, "standard input");
    };
    let shown = format!("`{}`", path.display());
    let opened = File::open(path).with_context(|| format!("{shown} cannot be opened"))?;
    read(opened, LONGEST_FILE, &shown)
}

/// True if the person says yes. Nobody there is no yes.
pub(super) fn confirmed(ground: &Ground, question: &str) -> Result<bool> {
    if !ground.terminal.interactive {
        return Err(usage("nobody is there to be asked; add `--yes`"));
    }
    let mut error = std::io::stderr().lock();
    write!(error, "{question} [y/N] ").and_then(|()| error.flush())?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("the terminal cannot be read")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn read(from: impl Read, most: u64, shown: &str) -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4 << 10));
    from.take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{shown} cannot be read"))?;
    if bytes.len() as u64 > most {
        bail!("{shown} has more than {most} bytes; a secret is never that long");
    }
    // The library's error would repeat the bytes.
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("{shown} is not UTF-8; convert it first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_or_too_long_is_refused_without_repeating_it() {
        assert_eq!(read(&b"hunter2\n"[..], 8, "x").unwrap().as_str(), "hunter2\n");
        let error = read(&b"hunter2\xff"[..], 8, "`key`").unwrap_err().to_string();
        assert_eq!(error, "`key` is not UTF-8; convert it first");
        let error = read(&b"hunter2hunter2"[..], 8, "`key`").unwrap_err().to_string();
        assert!(error.contains("more than 8 bytes") && !error.contains("hunter2"), "{error}");
    }
}
