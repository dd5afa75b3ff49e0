//! The embedder role for authors: one trait and one macro. Not a model and not a client of one.
//!
//! ```ignore
//! struct Lengths;
//! impl Embedder for Lengths { /* describe, embed */ }
//! hydroid_component::export_embedder!(Lengths);
//! ```

use std::marker::PhantomData;

use crate::bindings::embedder::exports::hydroid::embedder::embedder::Guest;
pub use crate::bindings::embedder::exports::hydroid::embedder::embedder::{Descriptor, Purpose};
pub use crate::bindings::imports::hydroid::core::types::{Error, ErrorKind};

/// A component that turns texts into vectors.
pub trait Embedder: 'static {
    /// What it is. Asked without any authority, so it is known from the configuration alone.
    fn describe() -> Result<Descriptor, Error>;

    /// One vector for each input, one after another in one flat list. The host hands in no more
    /// inputs than `max_batch`, and refuses a list that is not `inputs × dimensions` long or has
    /// a number in it that is not finite.
    fn embed(inputs: Vec<String>, purpose: Purpose) -> Result<Vec<f32>, Error>;
}

/// Scales a vector to length 1; one without a direction stays zero.
pub fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > f32::MIN_POSITIVE && length.is_finite() {
        vector.iter_mut().for_each(|number| *number /= length);
    }
}

/// What a service sent as the flat list of the contract, each vector scaled to length 1. The
/// sentence for the wrong number of vectors or dimensions says what to configure.
pub fn flat(
    vectors: Vec<Vec<f32>>,
    inputs: usize,
    dimensions: u32,
    model: &str,
) -> Result<Vec<f32>, Error> {
    if vectors.len() != inputs {
        return Err(Error {
            sent: true,
            ..Error::new(
                ErrorKind::Unavailable,
                format!("the service sent {} vectors for {inputs} texts", vectors.len()),
            )
        });
    }
    let mut numbers = Vec::with_capacity(inputs * dimensions as usize);
    for mut vector in vectors {
        if vector.len() != dimensions as usize {
            return Err(Error {
                sent: true,
                ..Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "`{model}` makes vectors of {} numbers and `dimensions` in this component's configuration is {dimensions}; set it to {}",
                        vector.len(),
                        vector.len()
                    ),
                )
            });
        }
        normalize(&mut vector);
        numbers.append(&mut vector);
    }
    Ok(numbers)
}

/// Makes `type` the embedder of this component.
#[macro_export]
macro_rules! export_embedder {
    ($embedder:ty) => {
        const _: () = {
            type Component = $crate::embedder::Adapter<$embedder>;
    $crate::bindings::embedder::export!(Component with_types_in $crate::bindings::embedder);
        };
    };
}

/// What `export_embedder!` exports for `E`.
pub struct Adapter<E>(PhantomData<E>);

impl<E: Embedder> Guest for Adapter<E> {
    fn describe() -> Result<Descriptor, Error> {
        E::describe()
    }

    fn embed(inputs: Vec<String>, purpose: Purpose) -> Result<Vec<f32>, Error> {
        E::embed(inputs, purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_gets_length_one_or_stays_zero() {
        let mut vector = [3.0, 4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut zero = [0.0, 0.0];
        normalize(&mut zero);
        assert_eq!(zero, [0.0, 0.0]);
    }

    #[test]
    fn what_a_service_sent_is_checked_and_scaled() {
        let sent = vec![vec![3.0, 4.0], vec![0.0, 2.0]];
        assert_eq!(flat(sent.clone(), 2, 2, "m").expect("it fits"), [0.6, 0.8, 0.0, 1.0]);
        let message = |inputs, dimensions| {
            flat(sent.clone(), inputs, dimensions, "m").expect_err("it does not fit").message
        };
        assert!(message(3, 2).contains("2 vectors for 3 texts"));
        assert!(message(2, 4).contains("set it to 2"));
    }
}
