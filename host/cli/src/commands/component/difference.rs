//! What a version of a component asks for beyond another, in words a person decides by. Whether
//! it gets it is not decided here.

use hydroid_core::capability::Profile;
use hydroid_core::config::Size;
use hydroid_core::ports::LARGEST_COMPONENT_STATE;
use hydroid_wasm::Examined;
use hydroid_wasm::check::{Class, Import};
use std::collections::BTreeSet;

/// What a new version asks for beyond the one before, in words.
pub(super) fn more(before: &Examined, after: &Examined) -> Vec<String> {
    let functions = |examined: &Examined| -> BTreeSet<String> {
        examined.imports.iter().flat_map(authority).collect()
    };
    let mut more: Vec<String> = functions(after)
        .difference(&functions(before))
        .map(|name| format!("it imports {name}"))
        .collect();
    for (profile, want) in &after.manifest.wants {
        let Some(old) = before.manifest.wants.get(profile) else {
            more.push(format!("it wants {profile}: {}", want.reason));
            continue;
        };
        let hosts: Vec<&String> =
            want.hosts.iter().filter(|host| !old.hosts.contains(host)).collect();
        more.extend(hosts.iter().map(|host| format!("it wants the host {host}")));
        let tools = want.tools.iter().filter(|tool| !old.tools.contains(*tool));
        more.extend(tools.map(|tool| format!("it wants to call the tool {tool}")));
        let most = Size(LARGEST_COMPONENT_STATE);
        let quota = want.quota.unwrap_or(most);
        if *profile == Profile::State && quota > old.quota.unwrap_or(most) {
            more.push(format!("it wants to keep {quota} of its own state"));
        }
        let every_method_now = want.methods.is_empty() && !old.methods.is_empty();
        if every_method_now || (!old.methods.is_empty() && !want.methods.is_subset(&old.methods)) {
            more.push(format!("it wants other methods for {profile}"));
        }
    }
    for (name, secret) in &after.manifest.secrets {
        match before.manifest.secrets.get(name) {
            None => more.push(format!("it wants the secret {name}")),
            Some(old)
                if secret.hosts.iter().any(|host| !old.hosts.contains(host))
                    || secret.attach != old.attach =>
            {
                more.push(format!("it wants to send the secret {name} elsewhere"));
            }
            Some(_) => {}
        }
    }
    if let Some(other) = &after.manifest.hands_to
        && before.manifest.hands_to.as_ref() != Some(other)
    {
        more.push(format!("it hands what it reads in your vault to {other}"));
    }
    more
}

/// The functions of an import that carry authority.
fn authority(import: &Import) -> Vec<String> {
    match &import.class {
        Class::Core | Class::Inert | Class::Noise => Vec::new(),
        Class::Capability(_) | Class::OtherTrack | Class::Unknown => {
            let names = import
                .functions
                .iter()
                .map(|function| format!("{} {{{function}}}", import.interface));
            names.chain([import.interface.clone()]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::manifest::Manifest;
    use hydroid_wasm::check::Role;

    fn examined(manifest: &str, functions: &[&str]) -> Examined {
        let import = Import {
            interface: "hydroid:cap/fs-write".into(),
            version: Some("0.1.0".into()),
            functions: functions.iter().map(|name| (*name).to_owned()).collect(),
            class: Class::Capability(vec![Profile::FileReadWrite]),
        };
        Examined {
            manifest: Manifest::parse(&format!("name = \"x\"\nversion = \"1.0.0\"\n{manifest}"))
                .unwrap(),
            digest: "sha256:0".into(),
            role: Role::Tool,
            exports: Vec::new(),
            imports: if functions.is_empty() { Vec::new() } else { vec![import] },
            bytes: 0,
            initial_memory: None,
        }
    }

    #[track_caller]
    fn check_more(before: (&str, &[&str]), after: (&str, &[&str]), expect: &[&str]) {
        assert_eq!(more(&examined(before.0, before.1), &examined(after.0, after.1)), expect);
    }

    const WEB: &str = "[wants.web]\nreason = \"r\"\nhosts = [\"a.example\"]\nmethods = [\"GET\"]\n";

    #[test]
    fn more_state_and_other_tools_are_more() {
        let wants = |quota: &str, tools: &str| {
            format!(
                "[wants.state]\nreason = \"r\"\n{quota}\n[wants.invoke]\nreason = \"r\"\ntools = [{tools}]\n"
            )
        };
        let small = wants("quota = \"1MiB\"", "\"a\"");
        let large = wants("", "\"a\", \"b\"");
        let more = ["it wants to keep 16MiB of its own state", "it wants to call the tool b"];
        let mut said = super::more(&examined(&small, &[]), &examined(&large, &[]));
        said.sort();
        let mut expect = more.to_vec();
        expect.sort();
        assert_eq!(said, expect);
        check_more((&large, &[]), (&small, &[]), &[]);
    }

    #[test]
    fn nothing_more_is_nothing_more() {
        check_more((WEB, &["write", "remove"]), (WEB, &["write"]), &[]);
    }

    #[test]
    fn each_further_wish_is_named() {
        check_more(
            ("", &["write"]),
            ("", &["write", "remove"]),
            &["it imports hydroid:cap/fs-write {remove}"],
        );
        check_more(
            ("", &[]),
            ("", &["write"]),
            &["it imports hydroid:cap/fs-write", "it imports hydroid:cap/fs-write {write}"],
        );
        check_more(("", &[]), (WEB, &[]), &["it wants web: r"]);
        check_more(
            (WEB, &[]),
            (&WEB.replace("a.ex", "b.ex"), &[]),
            &["it wants the host b.example"],
        );
        check_more(
            (WEB, &[]),
            (&WEB.replace("methods = [\"GET\"]\n", ""), &[]),
            &["it wants other methods for web"],
        );
        let secret = "[secrets.k]\nattach = \"bearer\"\nhosts = [\"a.example\"]\n";
        check_more((WEB, &[]), (&format!("{WEB}{secret}"), &[]), &["it wants the secret k"]);
        check_more(
            (&format!("{WEB}{secret}"), &[]),
            (&format!("{WEB}{}", secret.replace("bearer", "query:k")), &[]),
            &["it wants to send the secret k elsewhere"],
        );
    }
}
