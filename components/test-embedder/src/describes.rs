//! Descriptions that are wrong, or that never come.

use hydroid_component::embedder::{Descriptor, Error, ErrorKind};

use crate::DIMENSIONS;

/// Does what the name says; any other name is an honest description.
pub(crate) fn describe(misbehaviour: &str) -> Result<Descriptor, Error> {
    let honest = Descriptor {
        model: "misbehaving".to_owned(),
        dimensions: DIMENSIONS as u32,
        max_input_tokens: None,
        max_batch: 8,
        normalized: false,
        options_json: None,
    };
    Ok(match misbehaviour {
        "no_dimensions" => Descriptor { dimensions: 0, ..honest },
        "too_many_dimensions" => Descriptor { dimensions: u32::MAX, ..honest },
        "no_batch" => Descriptor { max_batch: 0, ..honest },
        "endless_batch" => Descriptor { max_batch: u32::MAX, ..honest },
        "no_tokens" => Descriptor { max_input_tokens: Some(0), ..honest },
        "no_model" => Descriptor { model: " ".to_owned(), ..honest },
        "long_model" => Descriptor { model: "m".repeat(1 << 20), ..honest },
        "model_with_escapes" => Descriptor { model: "\u{1b}[31mred".to_owned(), ..honest },
        "options_that_are_none" => Descriptor { options_json: Some("[1, 2".to_owned()), ..honest },
        "claims_length_one" => Descriptor { normalized: true, ..honest },
        "refuses_to_say" => return Err(Error::new(ErrorKind::Internal, "not telling")),
        "never_says" => never(),
        "panics_when_asked" => panic!("asked what it is"),
        _ => honest,
    })
}

fn never() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
