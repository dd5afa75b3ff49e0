//! Finds a key that an object has twice. Readers disagree on which of the two counts, so a person
//! could approve one and a tool do the other.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// An error names the first key that occurs twice in one object, at any depth.
pub(super) fn check(json: &str) -> Result<(), String> {
    match serde_json::from_str::<Unique>(json) {
        Ok(Unique) => Ok(()),
        Err(error) => Err(format!("the arguments are ambiguous: {error}; write each key once")),
    }
}

struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Unique)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.contains(&key) {
                let shown: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format_args!("the key `{shown}` occurs twice")));
            }
            keys.insert(key);
            map.next_value::<Self>()?;
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_key_twice_in_one_object_is_ambiguous() {
        for json in
            [r#"{"path":"a","path":"b"}"#, r#"{"x":[{"y":1,"y":2}]}"#, r#"{"a":1,"\u0061":2}"#]
        {
            let error = check(json).unwrap_err();
            assert!(error.contains("occurs twice"), "{json}: {error}");
        }
        assert!(check(r#"{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":null,"d":-1.5}"#).is_ok());
    }
}
