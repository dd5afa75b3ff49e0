//! The question before a component is installed: short, in plain words, and the same text whether
//! a person answers it or `--yes` does. What is allowed afterwards is decided in `grants.toml`.

use super::grant::is_built;
use super::offer::Offer;
use crate::exit::usage;
use crate::terminal::{self, Style};
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::capability::{ANY_TOOL, HostPattern, Profile, WebRule};
use hydroid_core::config::Size;
use hydroid_core::harmless::exact;
use hydroid_core::manifest::Manifest;
use hydroid_core::ports::LARGEST_COMPONENT_STATE;
use hydroid_wasm::grants::Entry;
use std::io::Write;

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Install it, and allow what it wants.
    Yes,
    /// Install it, and allow nothing.
    Without,
    /// Nothing is installed.
    No,
}

/// What a component wants, each in a few words.
pub(crate) fn wishes(manifest: &Manifest) -> Vec<String> {
    let mut wishes = Vec::new();
    for (profile, want) in &manifest.wants {
        if !is_built(*profile) {
            wishes.push(format!("{}, which this host cannot give", profile.in_words()));
            continue;
        }
        match profile {
            Profile::Web => {
                wishes.push(format!("connect to {}", hosts(&want.hosts)));
                wishes.extend(secrets(manifest, &want.hosts));
            }
            Profile::State => {
                let quota = want.quota.unwrap_or(Size(LARGEST_COMPONENT_STATE));
                wishes.push(format!("keep {} of its own state", amount(quota)));
            }
            Profile::Invoke => {
                let tools = want.tools.iter().cloned().collect::<Vec<_>>().join(", ");
                wishes.push(format!("call the tools {tools}, with no more than it may do itself"));
            }
            Profile::Delegate => {
                let tools = want.tools.iter().cloned().collect::<Vec<_>>().join(", ");
                let tools = match want.tools.contains(ANY_TOOL) {
                    true => "any tool".to_owned(),
                    false => format!("the tools {tools}"),
                };
                wishes.push(format!(
                    "start child turns that have {tools}, each call decided on as if the agent made it"
                ));
            }
            Profile::Pure => {}
            _ => wishes.push(profile.in_words().to_owned()),
        }
    }
    // Nothing is cut: what a person agrees to, they have seen.
    wishes.into_iter().map(|wish| exact(&wish)).collect()
}

/// A size as people say it: whole megabytes where it is that many.
fn amount(size: Size) -> String {
    match size.0 {
        bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => format!("{} MB", bytes >> 20),
        bytes if bytes >= 1 << 10 => format!("{} kB", bytes.div_ceil(1 << 10)),
        bytes => format!("{bytes} bytes"),
    }
}

fn hosts(hosts: &[String]) -> String {
    let is_any = |host: &String| host.parse::<WebRule>().is_ok_and(|rule| rule.host.is_any());
    if hosts.iter().any(is_any) {
        return "any host of the internet".to_owned();
    }
    hosts.join(", ")
}

/// Which secrets go where.
fn secrets(manifest: &Manifest, connects: &[String]) -> Vec<String> {
    let name_of = |host: &String| host.parse::<HostPattern>().map(|host| host.to_string());
    let in_words = |(name, want): (&String, &hydroid_core::manifest::SecretWant)| {
        let audience: Vec<String> =
            want.hosts.iter().filter_map(|host| name_of(host).ok()).collect();
        let same = want.hosts.is_empty()
            || want.hosts == connects
            || audience
                .iter()
                .any(|host| host.parse::<HostPattern>().is_ok_and(|host| host.is_any()));
        let place = if same { "there".to_owned() } else { format!("at {}", audience.join(", ")) };
        let perhaps = if want.optional { ", if you have stored it," } else { "" };
        format!("use the secret {name}{perhaps} {place}")
    };
    manifest.secrets.iter().map(in_words).collect()
}

/// True if it could read files and send them away.
pub(super) fn is_pair(manifest: &Manifest) -> bool {
    let reads = [Profile::FileReadOnly, Profile::FileReadWrite, Profile::VaultReadStep];
    manifest.wants.contains_key(&Profile::Web)
        && reads.iter().any(|profile| manifest.wants.contains_key(profile))
}

/// Shows what is wanted and asks, where somebody is there; none where nobody is.
pub(super) fn ask(ground: &Ground, offer: &Offer, text: &str) -> Result<Option<Said>> {
    if !ground.terminal.interactive {
        terminal::say(text);
        return Ok(None);
    }
    let shown = ground.terminal.styled(Style::Ask, text);
    let answer = answered(&format!("{shown} [y]es, [w]ithout it, [N]o: "))?;
    Ok(Some(match answer.as_str() {
        "y" | "yes" => Said::Yes,
        "w" | "without" => {
            terminal::say(&format!("{} is installed and allowed nothing", offer.name()));
            Said::Without
        }
        _ => Said::No,
    }))
}

/// True if the person says yes; where nobody is there, an error that names the flag.
pub(in crate::commands) fn confirmed(ground: &Ground, question: &str, flag: &str) -> Result<bool> {
    if !ground.terminal.interactive {
        return Err(usage(format!(
            "{question} Nobody is here to be asked; add `{flag}` to say yes"
        )));
    }
    let shown = ground.terminal.styled(Style::Ask, question);
    Ok(matches!(answered(&format!("{shown} [y/N] "))?.as_str(), "y" | "yes"))
}

fn answered(question: &str) -> Result<String> {
    Ok(typed(question)?.unwrap_or_default().to_ascii_lowercase())
}

/// A line as it was typed, without the space around it; none where what is typed has ended.
pub(in crate::commands) fn typed(question: &str) -> Result<Option<String>> {
    let mut error = std::io::stderr().lock();
    write!(error, "{question}").and_then(|()| error.flush())?;
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).context("the terminal cannot be read")?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

/// Allows what a manifest wants, beside what was allowed before.
pub(super) fn allow(manifest: &Manifest, entry: &mut Entry, pair: bool) {
    for (profile, want) in manifest.wants.iter().filter(|(profile, _)| is_built(**profile)) {
        entry.profiles.insert(*profile);
        entry.revoked.remove(profile);
        // Hosts that a person had named would hide those of the manifest.
        if *profile == Profile::Web && !entry.hosts.is_empty() {
            entry.hosts.extend(want.hosts.iter().cloned());
        }
    }
    // What a person had narrowed is what they were asked about anew.
    entry.quota = None;
    if !entry.tools.is_empty() {
        let wants = manifest.wants.iter().filter(|(profile, _)| profile.names_tools());
        entry.tools.extend(wants.flat_map(|(_, want)| want.tools.iter().cloned()));
    }
    if !entry.secrets.is_empty() {
        entry.secrets.extend(manifest.secrets.keys().cloned());
    }
    entry.files_and_web |= pair;
    if pair && entry.hosts.is_empty() {
        let want = manifest.wants.get(&Profile::Web);
        entry.hosts.extend(want.into_iter().flat_map(|want| want.hosts.iter().cloned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manifest: &str, expect: &[&str]) {
        let manifest = format!("name = \"x\"\nversion = \"1.0.0\"\n{manifest}");
        assert_eq!(wishes(&Manifest::parse(&manifest).unwrap()), expect);
    }

    const WEB: &str = "[wants.web]\nreason = \"r\"\nhosts = [\"api.telegram.org\"]\n";

    #[test]
    fn what_is_wanted_is_said_in_plain_words() {
        check("", &[]);
        check(
            &format!(
                "{WEB}[secrets.telegram_token]\nattach = \"bearer\"\nhosts = [\"api.telegram.org\"]\n[wants.state]\nreason = \"r\"\n"
            ),
            &[
                "connect to api.telegram.org",
                "use the secret telegram_token there",
                "keep 16 MB of its own state",
            ],
        );
        check(
            "[wants.state]\nreason = \"r\"\nquota = \"512KiB\"\n[wants.invoke]\nreason = \"r\"\ntools = [\"file_read\"]\n",
            &[
                "keep 512 kB of its own state",
                "call the tools file_read, with no more than it may do itself",
            ],
        );
        check(
            "[wants.delegate]\nreason = \"r\"\ntools = [\"file_read\"]\n",
            &[
                "start child turns that have the tools file_read, each call decided on as if the agent made it",
            ],
        );
        check(
            "[wants.delegate]\nreason = \"r\"\ntools = [\"*\"]\n",
            &["start child turns that have any tool, each call decided on as if the agent made it"],
        );
        check(
            &format!(
                "{}[secrets.k]\nattach = \"bearer\"\nhosts = [\"b.example\"]\noptional = true\n[wants.shell]\nreason = \"r\"\n",
                WEB.replace("api.telegram.org", "*")
            ),
            &[
                "connect to any host of the internet",
                "use the secret k, if you have stored it, at b.example",
                "run commands in the sandbox, which this host cannot give",
            ],
        );
    }

    #[test]
    fn a_manifest_cannot_hide_in_what_is_shown() {
        let host = "a\u{202e}b.example";
        let manifest =
            format!("name = \"x\"\nversion = \"1.0.0\"\n{}", WEB.replace("api.telegram.org", host));
        let Ok(manifest) = Manifest::parse(&manifest) else { return };
        assert!(!wishes(&manifest).concat().contains('\u{202e}'));
    }

    #[test]
    fn allowing_adds_to_what_a_person_had_narrowed() {
        let manifest =
            Manifest::parse(&format!("name = \"x\"\nversion = \"1.0.0\"\n{WEB}")).unwrap();
        let mut entry = Entry { hosts: ["a.example".to_owned()].into(), ..Entry::default() };
        allow(&manifest, &mut entry, false);
        assert_eq!(entry.hosts.len(), 2);
        assert!(entry.profiles.contains(&Profile::Web) && !entry.files_and_web);
        let mut fresh = Entry::default();
        allow(&manifest, &mut fresh, false);
        assert!(fresh.hosts.is_empty());
    }
}
