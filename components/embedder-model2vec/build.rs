//! Lays the files of the model out as one table, so that no instance parses them. It changes no
//! number in them.

#![expect(
    clippy::disallowed_methods,
    reason = "it reads the model and writes what is baked of it, for cargo"
)]

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let model = PathBuf::from("model");
    let read = |name: &str| {
        let path = model.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let files = [read("tokenizer.json"), read("model.safetensors"), read("config.json")];
    let [tokenizer, model, config] = &files;
    let table = model2vec::bake(model2vec::Files { tokenizer, model, config })
        .expect("the model in this folder is one");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("model.table"), table).expect("cargo's own directory can be written to");
    println!("cargo::rerun-if-changed=build.rs");
}
