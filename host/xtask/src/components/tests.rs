//! Tests of embedding a manifest and of pairing folders with what was built.

use super::*;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn the_manifest_is_the_last_section_and_readable_without_a_library() {
    let manifest = format!("name = \"tool-x\"\n# {}", "é".repeat(100));
    let component = embed(PREAMBLE.to_vec(), &manifest).unwrap();
    let mut expect = PREAMBLE.to_vec();
    expect.push(0);
    let length = 1 + SECTION.len() + manifest.len();
    assert!((128..16384).contains(&length), "the size takes two LEB128 bytes");
    expect
        .extend([u8::try_from(length & 0x7f).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()]);
    expect.push(16);
    expect.extend(SECTION.as_bytes());
    expect.extend(manifest.as_bytes());
    assert_eq!(component, expect);
}

#[test]
fn a_core_module_is_refused() {
    let error = embed(b"\0asm\x01\0\0\0".to_vec(), "").unwrap_err();
    assert!(error.to_string().contains("not a component"), "{error}");
    assert!(embed(Vec::new(), "").is_err());
}

#[test]
fn a_name_becomes_a_file_name_or_an_error() {
    assert_eq!(name("name = \"tool-x2\"").unwrap(), "tool-x2");
    for bad in ["", "name = 1", "name = \"../x\"", "name = \"Tool\"", "name = \"\"", "name ="] {
        assert!(name(bad).is_err(), "{bad}");
    }
}

#[track_caller]
fn check_sources(manifest: bool, kind: &str, expect: Result<usize, &str>) {
    let directory = directory();
    let folder = directory.path().join("tool-x");
    fs::create_dir(&folder).unwrap();
    if manifest {
        fs::write(folder.join("manifest.toml"), "name = \"tool-x\"").unwrap();
    }
    let artifact = Artifact {
        package: folder,
        kinds: vec![kind.into()],
        files: vec!["/t/tool_x.wasm".into()],
    };
    let got = sources(directory.path(), &[artifact]).map(|sources| sources.len());
    match (got, expect) {
        (Ok(got), Ok(expect)) => assert_eq!(got, expect),
        (Err(got), Err(expect)) => assert!(got.to_string().contains(expect), "{got}"),
        (got, expect) => panic!("got {got:?}, expected {expect:?}"),
    }
}

#[test]
fn a_component_has_a_manifest_and_a_manifest_has_a_component() {
    check_sources(true, "cdylib", Ok(1));
    check_sources(false, "cdylib", Err("has no manifest.toml"));
    check_sources(true, "lib", Err("no component was built"));
    check_sources(false, "lib", Ok(0));
}

#[test]
fn unchanged_files_are_left_alone_and_stale_ones_removed() {
    let directory = directory();
    let component = |name: &str, bytes: &[u8]| Component {
        name: name.into(),
        for_tests: false,
        bytes: bytes.to_vec(),
    };
    write_all(directory.path(), &[component("a", b"1"), component("b", b"1")]).unwrap();
    let changed = |name: &str| {
        let file = fs::File::open(directory.path().join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    changed("a.wasm");
    fs::write(directory.path().join("note.txt"), "kept").unwrap();
    write_all(directory.path(), &[component("a", b"1")]).unwrap();
    let modified = fs::metadata(directory.path().join("a.wasm")).unwrap().modified().unwrap();
    assert_eq!(modified, std::time::UNIX_EPOCH);
    assert!(!directory.path().join("b.wasm").exists());
    assert!(directory.path().join("note.txt").exists());
}
