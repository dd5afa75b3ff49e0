//! The text of `hydroid component inspect`: what a component is, can do, cannot do, wants, claims
//! and needs, each line from what was proven and not from what it says about itself.

use super::portrait::Portrait;
use crate::terminal::indented;
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::config::Size;
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::manifest::Manifest;
use hydroid_core::tool::Impact;
use hydroid_wasm::Catalog;
use hydroid_wasm::check::{CONTRACT, Class, Import};
use hydroid_wasm::grants::{Grants, Subject};

/// What an interface is for, in the order of the line of things that cannot be done.
const IN_WORDS: [(&str, &str); 12] = [
    ("hydroid:cap/fs-read", "read files"),
    ("hydroid:cap/fs-write", "write files"),
    ("hydroid:cap/web", "reach the network"),
    ("hydroid:cap/vault-read", "read the vault"),
    ("hydroid:cap/kv", "keep state"),
    ("hydroid:cap/memory", "search your notes"),
    ("hydroid:cap/schedules", "change schedules"),
    ("hydroid:cap/delegate", "start child turns"),
    ("hydroid:cap/jobs", "run commands"),
    ("hydroid:cap/media", "send media"),
    ("hydroid:cap/invoke", "call other tools"),
    ("hydroid:cap/secrets-reveal", "read secrets"),
];

/// Columns of a label.
const LABEL: usize = 8;

/// Functions of a WASI interface that are named.
const WASI_FUNCTIONS: usize = 3;

/// The whole text.
pub(super) fn text(portrait: &Portrait, catalog: &Catalog) -> String {
    let mut page = Page::default();
    let version = portrait.version().map(|version| format!(" {version}")).unwrap_or_default();
    let digest = portrait.digest.as_deref().unwrap_or("cannot be read");
    page.text = format!("{}{version}  {digest}\n", exact(&portrait.name));
    if let Some(manifest) =
        portrait.manifest.as_ref().filter(|manifest| !manifest.description.is_empty())
    {
        page.line("", &harmless(&manifest.description));
    }
    let bundled = match (&portrait.manifest, &portrait.digest) {
        (Some(manifest), Some(digest)) if portrait.bundled => {
            let unchanged =
                Grants::default().effective(Subject { manifest, digest, bundled: true });
            if unchanged == portrait.grant {
                ", granted what it wants"
            } else {
                ", its grants were changed by hand"
            }
        }
        (_, _) => "",
    };
    page.line("place", &format!("{}{bundled}", exact(&portrait.place)));
    if portrait.is_ready() {
        page.line("state", "ready");
    }
    for reason in &portrait.reasons {
        page.line("refused", &harmless(reason));
    }
    role(&mut page, portrait);
    if let Some(examined) = &portrait.examined {
        capabilities(&mut page, &examined.imports, &portrait.grant);
    }
    if let Some(manifest) = &portrait.manifest {
        wants(&mut page, manifest, portrait);
    }
    hints(&mut page, portrait);
    if let Some(examined) = &portrait.examined {
        let of = |wanted: Class| {
            packages(examined.imports.iter().filter(|import| import.class == wanted))
        };
        page.list("inert", &of(Class::Inert));
        page.list("unused", &of(Class::Noise));
    }
    limits(&mut page, portrait);
    needs(&mut page, portrait, catalog);
    page.text
}

/// Lines of a label and a text.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        self.text.push_str(&format!("{label:<LABEL$}{}\n", indented(text, LABEL)));
    }

    fn list(&mut self, label: &str, items: &[String]) {
        if !items.is_empty() {
            self.line(label, &items.join(", "));
        }
    }
}

fn role(page: &mut Page, portrait: &Portrait) {
    let Some(role) = portrait.role() else { return };
    let tools = portrait.tools();
    let tools = match tools.len() {
        0 => String::new(),
        1 => format!("  1 tool: {}", tools[0]),
        count => format!("  {count} tools: {}", tools.join(", ")),
    };
    page.line("role", &format!("{role} (hydroid:{role}/{role}@{CONTRACT}){tools}"));
    let points = portrait.points();
    if !points.is_empty() {
        page.line("asked at", &points.join(", "));
    }
    let reads = portrait.reads();
    if !reads.is_empty() {
        page.line("reads", &reads.join(", "));
    }
    if let Some(its) = portrait.embedder() {
        let length = if its.normalized { " of length 1" } else { "" };
        let text = format!("{}: vectors of {} numbers{length}", its.model, its.dimensions);
        page.line("model", &harmless(&text));
    }
}

fn capabilities(page: &mut Page, imports: &[Import], grant: &Grant) {
    let before = page.text.len();
    for import in imports {
        match &import.class {
            Class::Capability(profiles) => {
                let state = state(import, profiles, grant);
                let (words, name) = (in_words(import), import.full_name());
                page.line("can", &format!("{words}{name} {{{}}}  {state}", functions(import)));
            }
            Class::OtherTrack | Class::Unknown => {
                let name = import.full_name();
                let text = format!("{name} {{{}}}  this host does not have it", functions(import));
                page.line("wants", &text);
            }
            Class::Core | Class::Inert | Class::Noise => {}
        }
    }
    if let Some(profile) = files_through_wasi(imports, grant) {
        let text = format!(
            "{}  wasi:filesystem  granted by {profile}, checked at run time",
            profile.in_words()
        );
        page.line("can", &text);
    }
    if page.text.len() == before {
        page.line("can", "compute only");
    }
    for rule in &grant.web {
        let methods: Vec<&str> = rule.methods.iter().map(String::as_str).collect();
        let methods = if methods.is_empty() { "any method".to_owned() } else { methods.join(", ") };
        page.line("hosts", &format!("{}{} ({methods})", rule.host, rule.path));
    }
    page.list("tools", &grant.tools.iter().cloned().collect::<Vec<_>>());
    if let Some(quota) = grant.state_quota {
        page.line("keeps", &format!("at most {}", hydroid_core::config::Size(quota)));
    }
    page.list("secrets", &grant.secrets.iter().cloned().collect::<Vec<_>>());
    cannot(page, imports, grant);
}

/// Whether an import links, and by which profile.
fn state(import: &Import, profiles: &[Profile], grant: &Grant) -> String {
    let ids = |profiles: Vec<&Profile>, between: &str| {
        profiles.into_iter().map(|profile| profile.id()).collect::<Vec<_>>().join(between)
    };
    if grant.links(&import.interface) {
        let by = profiles.iter().filter(|profile| grant.profiles.contains(profile)).collect();
        return format!("granted by {}", ids(by, ", "));
    }
    format!("NOT GRANTED: will not link without {}", ids(profiles.iter().collect(), " or "))
}

/// The profile by which a component may use files through WASI, if it may.
fn files_through_wasi(imports: &[Import], grant: &Grant) -> Option<Profile> {
    let imported = imports.iter().any(|import| import.interface == "wasi:filesystem/types");
    let profiles = [Profile::FileReadWrite, Profile::FileReadOnly];
    profiles.into_iter().find(|profile| imported && grant.profiles.contains(profile))
}

fn cannot(page: &mut Page, imports: &[Import], grant: &Grant) {
    let through_wasi = match files_through_wasi(imports, grant) {
        Some(profile) => profile.interfaces(),
        None => &[],
    };
    let has = |interface: &str| {
        let wanted = |import: &Import| {
            import.interface == interface
                || (interface == "hydroid:cap/web"
                    && import.interface == "wasi:http/outgoing-handler")
        };
        through_wasi.contains(&interface) || imports.iter().any(wanted)
    };
    let missing = IN_WORDS.iter().filter(|(interface, _)| !has(interface)).map(|(_, what)| *what);
    let cannot: Vec<&str> = missing.chain(["see the environment"]).collect();
    page.line("cannot", &format!("{} (not imported)", cannot.join(" · ")));
}

/// What an import is for, with two spaces behind it.
fn in_words(import: &Import) -> String {
    let words = match import.interface.as_str() {
        "hydroid:cap/secrets" => Some("attach secrets it cannot read"),
        "wasi:http/outgoing-handler" => Some("reach the network"),
        interface => {
            IN_WORDS.iter().find(|(known, _)| *known == interface).map(|(_, words)| *words)
        }
    };
    words.map(|words| format!("{words}  ")).unwrap_or_default()
}

/// The functions an import uses; of WASI, which names every method, only the first few.
fn functions(import: &Import) -> String {
    // `[method]response.read` is how the component model writes a method of a resource.
    let plain = |name: &String| name.rsplit(']').next().unwrap_or_default().to_owned();
    let functions: Vec<String> = import.functions.iter().map(plain).collect();
    if import.interface.starts_with("hydroid:") || functions.len() <= WASI_FUNCTIONS {
        return functions.join(", ");
    }
    let (shown, rest) = functions.split_at(WASI_FUNCTIONS);
    format!("{} and {} more", shown.join(", "), rest.len())
}

fn wants(page: &mut Page, manifest: &Manifest, portrait: &Portrait) {
    let grant = &portrait.grant;
    for (profile, want) in &manifest.wants {
        let state = if grant.profiles.contains(profile) { "granted" } else { "NOT GRANTED" };
        let mut line = format!(
            "{profile} ({state}), to {}; {}",
            profile.in_words(),
            excerpt(&want.reason, 200)
        );
        if !want.hosts.is_empty() {
            line.push_str(&format!("; hosts {}", harmless(&want.hosts.join(", "))));
        }
        if !want.methods.is_empty() {
            line.push_str(&format!(
                "; {}",
                want.methods.iter().cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        if !want.tools.is_empty() {
            let tools = want.tools.iter().cloned().collect::<Vec<_>>().join(", ");
            line.push_str(&format!("; tools {}", harmless(&tools)));
        }
        if let Some(quota) = want.quota {
            line.push_str(&format!("; at most {quota}"));
        }
        page.line("wants", &line);
    }
    for (name, secret) in &manifest.secrets {
        // What the configuration says stands instead of what the manifest does.
        let instead = portrait.secret_hosts.get(name);
        let in_force = match instead {
            Some(hosts) => format!(
                " in force for {} (`secrets.{}.hosts`), instead of",
                harmless(&hosts.join(", ")),
                harmless(name)
            ),
            None if secret.hosts.is_empty() => String::new(),
            None => " for".to_owned(),
        };
        let declared = match (instead, secret.hosts.is_empty()) {
            (Some(_), true) => " none".to_owned(),
            (None, true) => String::new(),
            (Some(_) | None, false) => format!(" {}", harmless(&secret.hosts.join(", "))),
        };
        page.line(
            "wants",
            &format!(
                "secret {}{in_force}{declared}: {}; {}",
                harmless(name),
                harmless(&secret.attach.to_string()),
                excerpt(&secret.help, 200)
            ),
        );
    }
}

/// What each tool claims, beside what its component's imports prove.
fn hints(page: &mut Page, portrait: &Portrait) {
    let Some(loaded) = &portrait.loaded else { return };
    let (impact, calls_tools) = (loaded.impact(), loaded.reach().calls_tools);
    for definition in &loaded.definitions {
        let text = match (definition.claims_read_only, impact) {
            (_, Impact::ReadOnly) if calls_tools => {
                "changes nothing itself; each call it causes is decided on by itself"
            }
            (true, Impact::ReadOnly) => {
                "claims to change nothing, proven: it imports nothing that could"
            }
            (true, Impact::Network) => {
                "claims to change nothing, not proven: it can send read requests"
            }
            (true, Impact::Edits) => {
                "claims to change nothing, not proven: it could change your files or notes"
            }
            (false, Impact::Edits) => "can change your files or notes",
            (true, Impact::Changes) => "claims to change nothing, not proven: it could",
            (false, Impact::ReadOnly) => "changes nothing, proven: it imports nothing that could",
            (false, Impact::Network) => "can send read requests to other machines",
            (false, Impact::Changes) => "can change things",
            (true | false, Impact::Vault) => "takes something out of the vault: each call is asked",
        };
        page.line("hints", &format!("{}: {text}", definition.name));
    }
}

fn limits(page: &mut Page, portrait: &Portrait) {
    let Some(limits) = portrait.limits else { return };
    let fuel = limits.fuel.map(|fuel| format!(", {fuel} fuel")).unwrap_or_default();
    page.line(
        "limits",
        &format!(
            "memory {}, a call {} s, output {}, {} calls into the host{fuel}",
            Size(limits.memory as u64),
            limits.call.as_secs(),
            Size(limits.output as u64),
            limits.host_calls
        ),
    );
}

fn needs(page: &mut Page, portrait: &Portrait, catalog: &Catalog) {
    let Some(examined) = &portrait.examined else { return };
    let start = examined
        .initial_memory
        .map(|bytes| format!("{} memory at start; ", megabytes(bytes)))
        .unwrap_or_default();
    let hex = examined.digest.trim_start_matches("sha256:");
    let compiled = catalog
        .cache()
        .size(catalog.engine(), hex)
        .map(|bytes| format!(", compiled {}", megabytes(bytes)))
        .unwrap_or_default();
    page.line(
        "needs",
        &format!("{start}{} of WebAssembly{compiled}", megabytes(examined.bytes as u64)),
    );
}

/// Packages of interfaces, each once.
fn packages<'a>(imports: impl Iterator<Item = &'a Import>) -> Vec<String> {
    let mut packages: Vec<String> = imports
        .map(|import| import.interface.split('/').next().unwrap_or_default().to_owned())
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.2} MB")
}
