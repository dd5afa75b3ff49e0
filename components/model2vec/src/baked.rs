//! The table of a model: a head, a hash table of tokens, and rows of numbers, all read where they
//! lie. It trusts its own layout as far as its head can be checked; a damaged table gives wrong
//! vectors or an error, and reads nothing outside itself.

use crate::files::Rules;
use crate::safetensors::half;
use crate::words::{Enough, words};
use crate::{FileError, MOST_TOKENS, wrong};

/// How a table begins.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"M2Vt");
/// Changes with the layout.
pub(crate) const VERSION: u32 = 1;
/// Bytes of the head.
pub(crate) const HEAD: usize = 4 * 14;

/// Numbers at the beginning of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub magic: u32,
    pub version: u32,
    pub dimensions: u32,
    pub tokens: u32,
    /// Places of the hash table, a power of two.
    pub slots: u32,
    pub rows: u32,
    /// 0 for 8-bit integers, 1 for half precision, 2 for single.
    pub row_kind: u32,
    pub rules: Rules,
    pub normalized: bool,
    /// Position of the token for unknown words, from 1; 0 if there is none.
    pub unknown: u32,
    /// Bytes of a token in the middle of the order by length.
    pub median_length: u32,
    /// Bytes of the longest token.
    pub longest_token: u32,
    /// Bytes of all tokens.
    pub strings: u32,
}

/// A model that can be asked for vectors.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    head: Head,
    slots: &'a [u8],
    offsets: &'a [u8],
    places: &'a [u8],
    weights: &'a [u8],
    strings: &'a [u8],
    rows: &'a [u8],
}

impl<'a> Model<'a> {
    /// Looks at the head; nothing else is read.
    pub fn open(table: &'a [u8]) -> Result<Self, FileError> {
        let bad = || FileError("this is not a table of a model".to_owned());
        let (head, rest) = table.split_first_chunk::<HEAD>().ok_or_else(bad)?;
        let head = Head::from_bytes(head);
        if head.magic != MAGIC || head.version != VERSION || !head.slots.is_power_of_two() {
            return Err(bad());
        }
        let row = match head.row_kind {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return Err(bad()),
        };
        let (dimensions, tokens) = (head.dimensions as usize, head.tokens as usize);
        let all_rows = dimensions
            .checked_mul(head.rows as usize)
            .and_then(|count| count.checked_mul(row))
            .ok_or_else(bad)?;
        let numbers = |count: usize| count.checked_mul(4).ok_or_else(bad);
        let (slots, rest) = rest.split_at_checked(numbers(head.slots as usize)?).ok_or_else(bad)?;
        let (offsets, rest) = rest.split_at_checked(numbers(tokens + 1)?).ok_or_else(bad)?;
        let (places, rest) = rest.split_at_checked(numbers(tokens)?).ok_or_else(bad)?;
        let (weights, rest) = rest.split_at_checked(numbers(tokens)?).ok_or_else(bad)?;
        let (strings, rows) = rest.split_at_checked(head.strings as usize).ok_or_else(bad)?;
        if rows.len() != all_rows || dimensions == 0 {
            return wrong("this table of a model is cut off");
        }
        Ok(Self { head, slots, offsets, places, weights, strings, rows })
    }

    /// Numbers in a vector.
    pub fn dimensions(&self) -> u32 {
        self.head.dimensions
    }

    /// Vectors have length 1 or are zero.
    pub fn normalized(&self) -> bool {
        self.head.normalized
    }

    /// The vector of a text: the mean of those of its tokens.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0; self.head.dimensions as usize];
        let mut count = 0_usize;
        let (mut tokens, mut ends) = (Vec::new(), Vec::new());
        words(self.beginning(text), self.head.rules, &mut |word| {
            self.pieces(word, &mut tokens, &mut ends);
            for token in tokens.drain(..).take(MOST_TOKENS - count) {
                self.add(token, &mut sum);
                count += 1;
            }
            if count >= MOST_TOKENS { Enough::Yes } else { Enough::No }
        });
        let count = count.max(1) as f32;
        sum.iter_mut().for_each(|number| *number /= count);
        if self.head.normalized {
            let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt().max(1e-12);
            sum.iter_mut().for_each(|number| *number /= length);
        }
        sum
    }

    /// As much of a text as the tokens looked at can come from, as Model2Vec reckons it.
    fn beginning<'t>(&self, text: &'t str) -> &'t str {
        let most = MOST_TOKENS.saturating_mul(self.head.median_length as usize);
        if text.len() <= most {
            return text;
        }
        text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
    }

    /// The tokens of a word, longest first match; none if some part of it is unknown.
    fn pieces(&self, word: &str, tokens: &mut Vec<u32>, ends: &mut Vec<(usize, u32)>) {
        // Bytes are never fewer than characters, so a short word needs no count.
        let longest = self.head.rules.longest_word as usize;
        if word.len() > longest && word.chars().count() > longest {
            return;
        }
        let before = tokens.len();
        let mut start = 0;
        while start < word.len() {
            let Some((token, length)) = self.longest_match(start > 0, &word[start..], ends) else {
                tokens.truncate(before);
                return;
            };
            if token != self.head.unknown {
                tokens.push(token - 1);
            }
            start += length;
        }
    }

    /// The longest token that `text` begins with, from 1, and its length in bytes.
    fn longest_match(
        &self,
        continuing: bool,
        text: &str,
        ends: &mut Vec<(usize, u32)>,
    ) -> Option<(u32, usize)> {
        let bytes = text.as_bytes();
        let most = bytes.len().min(self.head.longest_token as usize);
        let mut state = hash(continuing, &[]);
        ends.clear();
        for (index, byte) in bytes[..most].iter().enumerate() {
            state = hash_more(state, *byte);
            if text.is_char_boundary(index + 1) {
                ends.push((index + 1, state));
            }
        }
        ends.drain(..)
            .rev()
            .find_map(|(end, state)| Some((self.find(state, continuing, &bytes[..end])?, end)))
    }

    fn find(&self, hash: u32, continuing: bool, text: &[u8]) -> Option<u32> {
        let mask = self.head.slots as usize - 1;
        let mut slot = hash as usize & mask;
        // A damaged table may have no empty place.
        for _ in 0..=mask {
            let token = number(self.slots, slot)?;
            let position = (token as usize).checked_sub(1)?;
            let (begin, end) =
                (number(self.offsets, position)?, number(self.offsets, position + 1)?);
            let stored = self.strings.get(begin as usize..end as usize)?;
            if stored.strip_prefix(continues(continuing)) == Some(text) {
                return Some(token);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    fn add(&self, token: u32, sum: &mut [f32]) {
        let token = token as usize;
        let (Some(place), Some(weight)) = (number(self.places, token), number(self.weights, token))
        else {
            return;
        };
        let weight = f32::from_bits(weight);
        let size = self.rows.len() / self.head.rows.max(1) as usize;
        let Some(row) = self.rows.get(place as usize * size..(place as usize + 1) * size) else {
            return;
        };
        match self.head.row_kind {
            0 => {
                for (sum, number) in sum.iter_mut().zip(row) {
                    *sum += f32::from(number.cast_signed()) * weight;
                }
            }
            1 => {
                for (sum, number) in sum.iter_mut().zip(row.as_chunks::<2>().0) {
                    *sum += half(*number) * weight;
                }
            }
            _ => {
                for (sum, number) in sum.iter_mut().zip(row.as_chunks::<4>().0) {
                    *sum += f32::from_le_bytes(*number) * weight;
                }
            }
        }
    }
}

impl Head {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let Rules { clean, space_ideographs, strip_accents, lowercase, longest_word } = self.rules;
        let flags = [clean, space_ideographs, strip_accents, lowercase, self.normalized];
        let flags = (0..).zip(flags).map(|(bit, set)| u32::from(set) << bit).sum();
        [
            self.magic,
            self.version,
            self.dimensions,
            self.tokens,
            self.slots,
            self.rows,
            self.row_kind,
            flags,
            longest_word,
            self.unknown,
            self.median_length,
            self.longest_token,
            self.strings,
            0,
        ]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect()
    }

    fn from_bytes(bytes: &[u8; HEAD]) -> Self {
        let at = |index: usize| number(bytes, index).unwrap_or_default();
        let flag = |bit: u32| at(7) >> bit & 1 == 1;
        Self {
            magic: at(0),
            version: at(1),
            dimensions: at(2),
            tokens: at(3),
            slots: at(4),
            rows: at(5),
            row_kind: at(6),
            rules: Rules {
                clean: flag(0),
                space_ideographs: flag(1),
                strip_accents: flag(2),
                lowercase: flag(3),
                longest_word: at(8),
            },
            normalized: flag(4),
            unknown: at(9),
            median_length: at(10),
            longest_token: at(11),
            strings: at(12),
        }
    }
}

/// What stands before a token that continues a word; no text has this byte.
pub(crate) fn continues(continuing: bool) -> &'static [u8] {
    if continuing { &[0xff] } else { &[] }
}

/// FNV-1a, which costs next to nothing for words of some letters.
pub(crate) fn hash(continuing: bool, text: &[u8]) -> u32 {
    continues(continuing)
        .iter()
        .chain(text)
        .fold(0x811c_9dc5, |state, byte| hash_more(state, *byte))
}

fn hash_more(state: u32, byte: u8) -> u32 {
    (state ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

fn number(bytes: &[u8], index: usize) -> Option<u32> {
    bytes.as_chunks::<4>().0.get(index).map(|number| u32::from_le_bytes(*number))
}
