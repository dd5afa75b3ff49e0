//! Files → table. Done once: when the component is built, or when an instance first reads a model.

use crate::baked::{HEAD, Head, MAGIC, VERSION, continues, hash};
use crate::files::{Files, Parsed};
use crate::safetensors::Kind;
use crate::{FileError, wrong};

/// The table of a model; [`crate::Model::open`] reads it.
pub fn bake(files: Files<'_>) -> Result<Vec<u8>, FileError> {
    let parsed = Parsed::new(files)?;
    let rows = parsed.rows.shape[0];
    let weights = match &parsed.weights {
        Some(tensor) => match tensor.floats() {
            Some(weights) => Some(weights),
            None => {
                return wrong(format!(
                    "the weights in model.safetensors are {:?}; F16, F32 and F64 can be read",
                    tensor.kind
                ));
            }
        },
        None => None,
    };
    let mapping = match &parsed.mapping {
        Some(tensor) => match tensor.positions() {
            Some(mapping) => Some(mapping),
            None => {
                return wrong(format!(
                    "the mapping in model.safetensors is {:?} or negative; I32 and I64 can be read",
                    tensor.kind
                ));
            }
        },
        None => None,
    };
    let slots = (parsed.tokens.len() * 2).next_power_of_two();
    let mut table = vec![0_u32; slots];
    let (mut offsets, mut strings) = (vec![0_u32], Vec::<u8>::new());
    let (mut places, mut scales) = (Vec::new(), Vec::new());
    let (mut unknown, mut longest) = (0, 0);
    let mut lengths = Vec::new();
    for (position, (id, token)) in (1_u32..).zip(&parsed.tokens) {
        let index = *id as usize;
        let place = match &mapping {
            Some(mapping) => mapping.get(index).copied().unwrap_or(*id),
            None => *id,
        };
        if place as usize >= rows {
            return wrong(format!(
                "token number {id} of tokenizer.json has no vector in model.safetensors, which has {rows}"
            ));
        }
        if *token == parsed.unknown {
            unknown = position;
        }
        let (continuing, text) = match token.strip_prefix(&parsed.continuing) {
            Some(rest) if !parsed.continuing.is_empty() => (true, rest),
            _ => (false, token.as_str()),
        };
        let stored = continues(continuing).iter().chain(text.as_bytes());
        strings.extend(stored);
        offsets.push(to_u32(strings.len())?);
        places.push(place);
        scales.push(match &weights {
            Some(weights) => weights.get(index).copied().unwrap_or(1.0),
            None => 1.0,
        });
        longest = longest.max(to_u32(text.len())?);
        lengths.push(token.len());
        let mut slot = hash(continuing, text.as_bytes()) as usize & (slots - 1);
        while table[slot] != 0 {
            slot = (slot + 1) & (slots - 1);
        }
        table[slot] = position;
    }
    lengths.sort_unstable();
    let head = Head {
        magic: MAGIC,
        version: VERSION,
        dimensions: to_u32(parsed.dimensions)?,
        tokens: to_u32(places.len())?,
        slots: to_u32(slots)?,
        rows: to_u32(rows)?,
        row_kind: match parsed.rows.kind {
            Kind::I8 => 0,
            Kind::F16 => 1,
            _ => 2,
        },
        rules: parsed.rules,
        normalized: parsed.normalized,
        unknown,
        median_length: to_u32(lengths[lengths.len() / 2])?,
        longest_token: longest,
        strings: to_u32(strings.len())?,
    };
    let mut bytes = Vec::with_capacity(
        HEAD + 4 * (slots + 4 * places.len()) + strings.len() + parsed.rows.bytes.len(),
    );
    bytes.extend(head.to_bytes());
    for numbers in [&table, &offsets, &places] {
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
    bytes.extend(strings);
    bytes.extend(parsed.rows.bytes);
    Ok(bytes)
}

fn to_u32(number: usize) -> Result<u32, FileError> {
    u32::try_from(number).map_err(|_| FileError("the model is larger than 4 GiB".to_owned()))
}
