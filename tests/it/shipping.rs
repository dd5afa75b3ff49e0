//! Components from where they are made to where they are used: published to a real registry,
//! signed, installed with one question, brought up to date and back, and refused.

use crate::support::docker_registry::DockerRegistry;
use crate::support::hydroid::{Home, Ran, test_component};
use std::io::{Read, Write};
use std::path::Path;

/// A test component that says it is another one: name, version and host have the same length.
fn variant(home: &Home, file: &str, of: &str, changes: &[(&str, &str)]) -> String {
    let mut wasm = std::fs::read(test_component(of)).unwrap();
    for (from, to) in changes {
        assert_eq!(from.len(), to.len(), "{from} {to}");
        let found: Vec<usize> = wasm
            .windows(from.len())
            .enumerate()
            .filter(|(_, window)| *window == from.as_bytes())
            .map(|(at, _)| at)
            .collect();
        assert!(!found.is_empty(), "`{of}` has no `{from}`");
        for at in found {
            wasm[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    let path = home.path(file);
    std::fs::write(&path, wasm).unwrap();
    path.to_str().unwrap().to_owned()
}

fn version(home: &Home, of: &str, version: &str) -> String {
    let to = format!("version = \"{version}\"");
    variant(home, &format!("{of}-{version}.wasm"), of, &[("version = \"0.1.0\"", &to)])
}

fn component(home: &Home, words: &[&str]) -> Ran {
    home.run(&[&["component"], words].concat())
}

/// The one key of a home, made if there is none.
fn key(home: &Home) -> String {
    home.run(&["key", "create", "me"]).code(0);
    home.run(&["key", "list", "--json"]).code(0).json_lines()[0][0]["key"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn with_registry(registry: &DockerRegistry) -> Home {
    Home::with_config(&format!("[egress]\nallow_private = [\"{}\"]\n", registry.address()))
}

#[test]
fn a_component_goes_through_a_docker_registry_and_back() {
    let Some(registry) = DockerRegistry::start(false) else { return };
    let publisher = with_registry(&registry);
    let key = key(&publisher);
    let place = format!("oci://{}/acme/pure", registry.address());
    let first = version(&publisher, "test-tool-pure", "1.0.0");
    component(&publisher, &["publish", &first, &place])
        .code(0)
        .says(&format!("{place}:1.0.0@sha256:"));
    component(&publisher, &["publish", &first, &place]).code(0).says("was there already");

    // In the form other tools read.
    let manifest: serde_json::Value =
        serde_json::from_str(&registry.get("/v2/acme/pure/manifests/1.0.0")).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "1.0.0");

    // What was published keeps its bytes.
    let other = variant(
        &publisher,
        "other.wasm",
        "test-tool-pure",
        &[("version = \"0.1.0\"", "version = \"1.0.0\""), ("no capability", "NO capability")],
    );
    component(&publisher, &["publish", &other, &place]).code(1).tells("published already");
    let wrong = format!("{place}:2.0.0");
    component(&publisher, &["publish", &first, &wrong])
        .code(2)
        .tells("the manifest inside says 1.0.0");

    let home = with_registry(&registry);
    component(&home, &["add", &place]).code(2).tells("a key you do not know").tells(&key);
    home.run(&["key", "trust", &key, "--name", "acme"]).code(0);
    component(&home, &["add", &place])
        .code(0)
        .says("added test-tool-pure 1.0.0 by acme")
        .says("it is ready");
    let lock = std::fs::read_to_string(home.path("components.lock")).unwrap();
    assert!(lock.contains(&format!("source = \"{place}:1.0.0\"")) && lock.contains(&key), "{lock}");
    component(&home, &["list", "--outdated"]).code(0).tells("is the newest there");

    let second = version(&publisher, "test-tool-pure", "1.1.0");
    component(&publisher, &["publish", &second, &place]).code(0);
    component(&home, &["list", "--outdated"]).code(0).says("1.1.0");
    component(&home, &["update"]).code(0).says("updated test-tool-pure 1.1.0 by acme");
    component(&home, &["update", "test-tool-pure"]).code(0).says("1.1.0 is the newest");

    // An older one comes back only by a word of its own.
    let older = format!("{place}:1.0.0");
    component(&home, &["add", &older])
        .code(2)
        .tells("older than 1.1.0")
        .tells("rollback test-tool-pure");
    component(&home, &["rollback", "test-tool-pure"]).code(0).says("is 1.0.0 again");
    component(&home, &["rollback", "test-tool-pure"]).code(1).tells("no version before 1.0.0");
    component(&home, &["inspect", "test-tool-pure"]).code(0).says("1.0.0");

    home.run(&["key", "distrust", "acme"]).code(0).tells("is not used any more");
    component(&home, &["list"]).code(0).says("not trusted any more");
    component(&home, &["update"]).code(1).tells("whom you do not trust");
    component(&home, &["remove", "test-tool-pure"]).code(0);
    assert!(!home.path("component-versions/test-tool-pure").exists());
    component(&home, &["add", &place]).code(1).tells("whom you do not trust");
}

#[test]
fn a_docker_registry_that_asks_who_is_there_is_told_what_docker_knows() {
    let Some(registry) = DockerRegistry::start(true) else { return };
    let home = with_registry(&registry);
    let file = version(&home, "test-tool-pure", "1.0.0");
    let place = format!("oci://{}/pure", registry.address());
    let publish = ["component", "publish", &file, &place, "--unsigned"];
    home.run(&publish).code(1).tells(&format!("docker login {}", registry.address()));
    let config = |auth: &str| {
        home.write(
            "docker/config.json",
            &format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address()),
        );
    };
    let directory = home.path("docker");
    let docker = [("DOCKER_CONFIG", directory.to_str().unwrap())];
    config("YW5uYTp3cm9uZw==");
    home.run_in(&docker, &publish, b"").code(1).tells("docker login");
    config("YW5uYTpvcGVuIHNlc2FtZQ==");
    home.run_in(&docker, &publish, b"").code(0).says("signed by nobody");
    // From a helper, as Docker asks one.
    let helper = home.path("bin/docker-credential-test");
    home.write(
        "bin/docker-credential-test",
        "#!/bin/sh\nread host\n[ \"$1\" = get ] && echo \"{\\\"ServerURL\\\":\\\"$host\\\",\\\"Username\\\":\\\"anna\\\",\\\"Secret\\\":\\\"open sesame\\\"}\"\n",
    );
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    home.write("docker/config.json", r#"{"credsStore":"test"}"#);
    let path = format!("{}:/usr/bin:/bin", home.path("bin").display());
    let variables = [docker[0], ("PATH", path.as_str())];
    home.run_in(&variables, &["component", "add", &place, "--allow-unsigned"], b"")
        .code(0)
        .says("it is ready");
}

#[test]
fn a_registry_on_this_machine_is_named_with_what_opens_it() {
    let home = Home::new();
    component(&home, &["add", "oci://127.0.0.1:9/x:1.0.0"])
        .code(1)
        .tells("egress.allow_private = [\"127.0.0.1:9\"]");
    component(&home, &["add", "oci://x"]).code(2).tells("names no repository");
    component(&home, &["add", "ftp://x/y.wasm"]).code(2).tells("names no place");
    component(&home, &["add", "https://x.example/y.wasm"]).code(2).tells("#sha256=");
    assert!(!home.path("components").join("x.wasm").exists());
}

#[test]
fn nobody_vouches_for_a_component_unless_a_person_says_so() {
    let home = Home::new();
    let file = version(&home, "test-tool-pure", "1.0.0");
    component(&home, &["add", &file]).code(2).tells("signed by nobody").tells("`--allow-unsigned`");
    component(&home, &["add", "--yes", &file]).code(2).tells("`--allow-unsigned`");
    let mut terminal = home.on_a_terminal(&["component", "add", &file]);
    terminal.shows("Install it all the same?").types("n");
    terminal.ends_with(1);
    assert!(!home.path("components/test-tool-pure.wasm").exists());
    let mut terminal = home.on_a_terminal(&["component", "add", &file]);
    terminal.shows("Install it all the same?").types("y").shows("it is ready");
    terminal.ends_with(0);
}

#[test]
fn a_signature_is_over_these_bytes_and_no_others() {
    let home = Home::new();
    let key = key(&home);
    let file = version(&home, "test-tool-pure", "1.0.0");
    home.run(&["key", "sign", &file]).code(0).says(&key);
    component(&home, &["add", &file]).code(0).says("1.0.0 by me");
    let newer = version(&home, "test-tool-pure", "1.1.0");
    std::fs::copy(format!("{file}.sig"), format!("{newer}.sig")).unwrap();
    component(&home, &["add", "--allow-unsigned", &newer]).code(1).tells("not over these bytes");
    std::fs::write(format!("{newer}.sig"), "{}").unwrap();
    component(&home, &["add", "--allow-unsigned", &newer]).code(1).tells("cannot be read");
    // The same version with other bytes, and without the signature that the one before had.
    let other = variant(
        &home,
        "other.wasm",
        "test-tool-pure",
        &[("version = \"0.1.0\"", "version = \"1.0.0\""), ("no capability", "NO capability")],
    );
    component(&home, &["add", "--allow-unsigned", &other])
        .code(0)
        .tells("has other bytes")
        .tells("nobody signed it");
    home.run(&["key", "trust", "ed25519:AAAA"]).code(2).tells("no key you know");
    home.run(&["secret", "remove", "signing:me"]).code(2);
}

#[test]
fn what_a_component_wants_is_asked_once_and_in_plain_words() {
    let home = Home::new();
    let file = version(&home, "test-tool-state", "1.0.0");
    let question = "wants: keep 16 MB of its own state; search and keep your notes. Allow?";
    // Where nobody can be asked, nothing is allowed.
    component(&home, &["add", "--allow-unsigned", &file])
        .code(0)
        .tells(question)
        .tells("installed and allowed nothing")
        .tells("not used yet");
    component(&home, &["remove", "test-tool-state"]).code(0);
    component(&home, &["add", "--allow-unsigned", "--yes", &file])
        .code(0)
        .tells(question)
        .says("it is ready");
    let grants = std::fs::read_to_string(home.path("grants.toml")).unwrap();
    assert!(grants.contains("\"state\"") && grants.contains("sha256:"), "{grants}");
    component(&home, &["remove", "test-tool-state"]).code(0);
    let add = ["component", "add", "--allow-unsigned", &file];
    let mut terminal = home.on_a_terminal(&add);
    terminal.shows(question).types("no");
    terminal.ends_with(1);
    assert!(!home.path("components/test-tool-state.wasm").exists());
    let mut terminal = home.on_a_terminal(&add);
    terminal.shows(question).types("w").shows("not used yet");
    terminal.ends_with(0);
}

#[test]
fn a_version_that_wants_more_is_asked_about_with_the_difference() {
    let home = Home::new();
    let web = |version: &str, host: &str| {
        variant(
            &home,
            &format!("web-{version}.wasm"),
            "test-tool-web",
            &[
                ("version = \"0.1.0\"", &format!("version = \"{version}\"")),
                // The first is of [wants.web], the second of the secret; both change.
                (
                    "try to reach what was not granted\"\nhosts = [\"*\"]",
                    &format!("try to\"\nhosts = [\"{host}\"]\n{:#<1$}", "", 27 - host.len()),
                ),
            ],
        )
    };
    let first = web("1.0.0", "a.example");
    component(&home, &["add", "--allow-unsigned", "--yes", &first])
        .code(0)
        .tells("connect to a.example");
    let same = web("1.1.0", "a.example");
    component(&home, &["add", "--allow-unsigned", &same])
        .code(0)
        .says("its grants stay")
        .says("it is ready");
    let wider = web("1.2.0", "b.example");
    component(&home, &["add", "--allow-unsigned", &wider])
        .code(0)
        .tells("it wants the host b.example")
        .tells("allowed nothing");
    // Back to what was agreed to, which asks for what the one before it did not.
    component(&home, &["rollback", "test-tool-web"]).code(0).tells("it wants the host a.example");
    let narrower = web("1.3.0", "a.example");
    component(&home, &["add", "--allow-unsigned", "--yes", &narrower]).code(0);
    let mode = std::fs::metadata(home.path("components.lock")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}

#[test]
fn an_address_gives_what_its_digest_says_or_nothing() {
    let home = Home::new();
    let wasm = std::fs::read(version(&home, "test-tool-pure", "1.0.0")).unwrap();
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&wasm));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 2048];
            let read = stream.read(&mut head).unwrap_or(0);
            let is_signature = String::from_utf8_lossy(&head[..read]).contains(".sig");
            let (status, body) = if is_signature { (404, &[][..]) } else { (200, &wasm[..]) };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(body);
        }
    });
    home.write("config.toml", &format!("[egress]\nallow_private = [\"{address}\"]\n"));
    let place = |digest: &str| format!("http://{address}/x.wasm#sha256={digest}");
    component(&home, &["add", "--allow-unsigned", &place(&"0".repeat(64))])
        .code(1)
        .tells("was not taken");
    component(&home, &["add", "--allow-unsigned", &place(&digest)]).code(0).says("it is ready");
    component(&home, &["update", "test-tool-pure"]).code(2).tells("holds no other version");
}

#[test]
fn bytes_that_somebody_else_put_there_are_not_loaded() {
    let home = Home::new();
    let file = version(&home, "test-tool-pure", "1.0.0");
    component(&home, &["add", "--allow-unsigned", &file]).code(0);
    let other = version(&home, "test-tool-pure", "1.1.0");
    std::fs::copy(&other, home.path("components/test-tool-pure.wasm")).unwrap();
    component(&home, &["list"]).code(0).says("is pinned in `components.lock`");
    component(&home, &["add", "--allow-unsigned", &file]).code(0);
    component(&home, &["inspect", "test-tool-pure"]).code(0).says("ready");
    // One that was removed by hand is not brought back, and can be forgotten.
    std::fs::remove_file(home.path("components/test-tool-pure.wasm")).unwrap();
    component(&home, &["update", "test-tool-pure"]).code(2).tells("was removed");
    component(&home, &["remove", "test-tool-pure"]).code(0).says("was gone already");
    component(&home, &["remove", "test-tool-pure"]).code(2);
}

#[test]
fn what_is_offered_is_found_without_a_network() {
    let home = Home::new();
    home.run(&["registry", "list"]).code(0).says("tool-json");
    home.run(&["registry", "search", "time", "zone"]).code(0).says("tool-time");
    home.run(&["registry", "show", "tool-web"]).code(0).says("wants").says("web_fetch");
    home.run(&["registry", "show", "tool-wep"]).code(2).tells("did you mean `tool-web`");
    home.run(&["registry", "search", "nothinghasthis"]).code(1);
    assert!(!Path::new(&home.path("users")).exists());
    component(&home, &["search", "json"]).code(0).says("tool-json");
}

#[test]
fn an_index_of_somebody_else_is_read_if_one_trusts_who_signed_it() {
    let home = Home::new();
    home.write(
        "index.toml",
        "[[components]]\nname = \"telegram\"\nversion = \"1.2.0\"\ndigest = \"sha256:0\"\nrole = \"tool\"\ndescription = \"Chats \\u001b[31m\"\nsource = \"oci://registry.example/acme/telegram\"\n",
    );
    let index = home.path("index.toml");
    let index = index.to_str().unwrap();
    let list = ["registry", "list", "--from", index];
    home.run(&list).code(1).tells("signed by nobody");
    let key = key(&home);
    home.run(&["key", "sign", index]).code(0).says("an index of 1 components").says(&key);
    let shown = home.run(&list).code(0).says("telegram");
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
    home.run(&["registry", "show", "telegram", "--from", index]).code(0).says("from    oci://");
    let stranger = Home::new();
    stranger.run(&list).code(1).tells("a key you do not know").tells(&key);
    home.write("index.toml", "components = []\n");
    home.run(&list).code(1).tells("not over these bytes");
    home.run(&["key", "sign", home.path("config.toml").to_str().unwrap()]).code(1);
    home.write("nothing.toml", "x = 1\n");
    home.run(&["key", "sign", home.path("nothing.toml").to_str().unwrap()])
        .code(1)
        .tells("neither a component nor an index");
}
