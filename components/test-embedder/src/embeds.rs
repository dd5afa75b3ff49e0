//! Vectors that are wrong, too many, too few, or that never come.

use std::cell::{Cell, RefCell};

use hydroid_component::embedder::{Error, ErrorKind, Purpose};

use crate::DIMENSIONS;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static LEAKED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Does what the name says; any other name gives each input its length and the purpose.
#[expect(clippy::disallowed_methods, reason = "one of them ends itself, to see what follows")]
pub(crate) fn embed(
    misbehaviour: &str,
    inputs: &[String],
    purpose: Purpose,
) -> Result<Vec<f32>, Error> {
    let mut honest: Vec<f32> = inputs.iter().flat_map(|input| vector(input, purpose)).collect();
    match misbehaviour {
        "one_number_short" => honest.truncate(honest.len() - 1),
        "one_vector_too_many" => honest.extend([1.0; DIMENSIONS]),
        "nothing" => honest.clear(),
        "not_a_number" => honest[1] = f32::NAN,
        "infinite" => honest[1] = f32::INFINITY,
        "huge" => return Ok(vec![1.0; 64 << 20 >> 2]),
        "loops" => loop {
            std::hint::spin_loop();
        },
        "panics" => panic!("asked to embed"),
        "recurses" => honest[1] = deeper(1.0),
        "exits" => std::process::exit(0),
        "grows" => LEAKED.with_borrow_mut(|leaked| leaked.push(vec![1; 1 << 30])),
        "leaks" => LEAKED.with_borrow_mut(|leaked| leaked.push(vec![1; 4 << 20])),
        "counts_calls" => honest[1] = CALLS.replace(CALLS.get() + 1) as f32,
        "is_busy" => {
            return Err(Error {
                retry_after_ms: Some(1234),
                ..Error::new(ErrorKind::RateLimited, "too many of you")
            });
        }
        "talks_without_end" => {
            return Err(Error::new(ErrorKind::Internal, "no ".repeat(1 << 20)));
        }
        _ => {}
    }
    Ok(honest)
}

fn vector(input: &str, purpose: Purpose) -> [f32; DIMENSIONS] {
    let asked = matches!(purpose, Purpose::Query) as u8;
    [input.len() as f32, 0.0, f32::from(asked), 1.0]
}

/// Never ends: no number that is counted up to this way is infinite.
fn deeper(number: f32) -> f32 {
    if number.is_infinite() {
        return 0.0;
    }
    std::hint::black_box(deeper(std::hint::black_box(number + 1.0))) + 1.0
}
