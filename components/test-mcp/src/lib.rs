//! Tools, prompts and resources as the conformance suite of the Model Context Protocol expects
//! them of a server. Not an example of a good tool: names and texts are the suite's.

mod asking;
mod plain;

use hydroid_component::tool::{Call, Definition, Hints, Outcome, Tool, Toolset};
use hydroid_component::types::{Blob, Error, Part};
use serde_json::Value;

/// One pixel.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 12, b'I', b'D', b'A', b'T',
    0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0, 0x03, 0x01, 0x01, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0,
    0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// A sound without a sample.
const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0";

/// One of them: name, what it does, schema of its arguments, options, and how it answers.
struct Entry {
    name: &'static str,
    description: &'static str,
    schema: Value,
    options: Option<Value>,
    run: fn(&Value) -> Outcome,
}

fn entries() -> Vec<Entry> {
    plain::entries().into_iter().chain(asking::entries()).collect()
}

struct Suite;

impl Toolset for Suite {
    fn tools() -> Result<Vec<Tool>, Error> {
        Ok(Vec::new())
    }

    fn definitions() -> Result<Vec<Definition>, Error> {
        let definition = |entry: Entry| Definition {
            name: entry.name.to_owned(),
            title: None,
            description: entry.description.to_owned(),
            input_schema: entry.schema.to_string(),
            output_schema: None,
            hints: Hints {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: false,
            },
            options_json: entry.options.map(|options| options.to_string()),
        };
        Ok(entries().into_iter().map(definition).collect())
    }
}

/// Runs a call; the host asks for nothing that is not defined.
fn invoke(call: &Call) -> Result<Outcome, Error> {
    let entry = entries().into_iter().find(|entry| entry.name == call.name);
    let entry = entry.ok_or_else(|| Error::internal("there is no such tool"))?;
    let arguments = serde_json::from_str(&call.args_json)
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok((entry.run)(&arguments))
}

fn blob(media_type: &str, data: &[u8], name: Option<&str>) -> Part {
    Part::Blob(Blob {
        media_type: media_type.to_owned(),
        data: data.to_vec(),
        name: name.map(str::to_owned),
    })
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

#[cfg(target_family = "wasm")]
const _: () = {
    struct Exported;

    impl hydroid_component::tool::Guest for Exported {
        fn definitions() -> Result<Vec<Definition>, Error> {
            Suite::definitions()
        }

        fn invoke(call: Call) -> Result<Outcome, Error> {
            crate::invoke(&call)
        }
    }

    hydroid_component::bindings::tool::export!(Exported);
};

#[cfg(not(target_family = "wasm"))]
const _: fn(&Call) -> Result<Outcome, Error> = invoke;
