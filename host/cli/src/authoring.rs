//! What new components are made of, inside this binary: templates, the contract and the SDK. What
//! a new component is made of which parts is decided by the command that makes one.

use anyhow::{Context, Result};
use flate2::read::DeflateDecoder;
use std::collections::BTreeMap;

/// Every text by its place, as the build script packed it.
const COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/authoring.json.deflate"));

/// The pack, read.
pub(crate) struct Pack(BTreeMap<String, String>);

impl Pack {
    /// Reads it from this binary.
    pub(crate) fn open() -> Result<Self> {
        let texts = serde_json::from_reader(DeflateDecoder::new(COMPRESSED));
        texts.map(Self).context("the templates in this binary cannot be read")
    }

    /// The files below a folder of the pack, by their places below it.
    pub(crate) fn below<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.0.iter().filter_map(move |(place, text)| {
            let rest = place.strip_prefix(folder)?.strip_prefix('/')?;
            Some((rest, text.as_str()))
        })
    }
}
