//! Tensors in a file of the safetensors format, as slices of it. No arithmetic.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::{FileError, wrong};

/// Longest head of a file; the format's own reader has the same bound.
const LONGEST_HEAD: usize = 100_000_000;

/// Named tensors.
pub(crate) struct Tensors<'a>(BTreeMap<String, Tensor<'a>>);

/// Numbers in a row, as bytes, little end first.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<'a> {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub bytes: &'a [u8],
}

/// Kinds of number that models have.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Kind {
    I8,
    F16,
    F32,
    F64,
    I32,
    I64,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Entry {
    dtype: Kind,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl<'a> Tensors<'a> {
    /// Reads the head and checks every tensor against the length of the file.
    pub(crate) fn read(file: &'a [u8]) -> Result<Self, FileError> {
        let bad = || FileError("model.safetensors is not a safetensors file".to_owned());
        let (length, rest) = file.split_first_chunk::<8>().ok_or_else(bad)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| bad())?;
        if length > LONGEST_HEAD {
            return Err(bad());
        }
        let (head, data) = rest.split_at_checked(length).ok_or_else(bad)?;
        let mut entries: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(head).map_err(|_| bad())?;
        entries.remove("__metadata__");
        let mut tensors = BTreeMap::new();
        for (name, entry) in entries {
            let entry: Entry = serde_json::from_value(entry).map_err(|_| bad())?;
            let (begin, end) = entry.data_offsets;
            let bytes = data.get(begin..end).ok_or_else(bad)?;
            let count = entry.shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side));
            let fits = match entry.dtype.size() {
                Some(size) => count.and_then(|count| count.checked_mul(size)) == Some(bytes.len()),
                None => true,
            };
            if !fits {
                return wrong(format!(
                    "the tensor `{name}` in model.safetensors has another length than its shape"
                ));
            }
            tensors.insert(name, Tensor { kind: entry.dtype, shape: entry.shape, bytes });
        }
        Ok(Self(tensors))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Tensor<'a>> {
        self.0.get(name).cloned()
    }
}

impl Tensor<'_> {
    /// The numbers, if they are of a kind that weights have.
    pub(crate) fn floats(&self) -> Option<Vec<f32>> {
        Some(match self.kind {
            Kind::F16 => chunks(self.bytes).map(half).collect(),
            Kind::F32 => chunks(self.bytes).map(f32::from_le_bytes).collect(),
            Kind::F64 => chunks(self.bytes).map(|bytes| f64::from_le_bytes(bytes) as f32).collect(),
            Kind::I8 | Kind::I32 | Kind::I64 | Kind::Other => return None,
        })
    }

    /// The numbers, if they are of a kind that positions have and none is negative.
    pub(crate) fn positions(&self) -> Option<Vec<u32>> {
        match self.kind {
            Kind::I32 => {
                chunks(self.bytes).map(|b| u32::try_from(i32::from_le_bytes(b)).ok()).collect()
            }
            Kind::I64 => {
                chunks(self.bytes).map(|b| u32::try_from(i64::from_le_bytes(b)).ok()).collect()
            }
            Kind::I8 | Kind::F16 | Kind::F32 | Kind::F64 | Kind::Other => None,
        }
    }
}

impl Kind {
    /// Bytes of a number.
    pub(crate) fn size(self) -> Option<usize> {
        match self {
            Self::I8 => Some(1),
            Self::F16 => Some(2),
            Self::F32 | Self::I32 => Some(4),
            Self::F64 | Self::I64 => Some(8),
            Self::Other => None,
        }
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// A number in half precision.
pub(crate) fn half(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    let sign = (bits & 0x8000) << 16;
    let exponent = bits >> 10 & 0x1f;
    let fraction = bits & 0x3ff;
    match exponent {
        0 => f32::from_bits(sign | (fraction as f32 / 16_777_216.0).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read() {
        for (bits, number) in [
            (0x3c00_u16, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_5e-8),
            (0, 0.0),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(half(bits.to_le_bytes()), number);
        }
        assert!(half(0x7e00_u16.to_le_bytes()).is_nan());
        assert_eq!(half(0x7c00_u16.to_le_bytes()), f32::INFINITY);
    }

    #[test]
    fn what_is_no_file_of_this_format_is_an_error() {
        for bad in
            [&b""[..], b"1234567", &[255; 16], b"\x02\0\0\0\0\0\0\0[]", b"\xff\0\0\0\0\0\0\0{}"]
        {
            assert!(Tensors::read(bad).is_err(), "{bad:?}");
        }
        let head = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#;
        let file = [&(head.len() as u64).to_le_bytes()[..], head, &[0; 4]].concat();
        assert!(Tensors::read(&file).is_err(), "four bytes are not two numbers");
    }
}
