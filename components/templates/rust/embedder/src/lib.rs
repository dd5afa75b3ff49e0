//! {{description}}.

use hydroid_component::embedder::{Descriptor, Embedder, Error, Purpose, normalize};
use hydroid_component::{control, export_embedder};

/// Numbers in a vector.
const DIMENSIONS: usize = 64;

struct Letters;

export_embedder!(Letters);

impl Embedder for Letters {
    fn describe() -> Result<Descriptor, Error> {
        Ok(Descriptor {
            // Whoever keeps vectors makes them anew when this changes.
            model: "letter-pairs-1".to_owned(),
            dimensions: DIMENSIONS as u32,
            max_input_tokens: None,
            max_batch: 64,
            normalized: true,
            options_json: None,
        })
    }

    fn embed(inputs: Vec<String>, _purpose: Purpose) -> Result<Vec<f32>, Error> {
        let mut numbers = Vec::with_capacity(inputs.len() * DIMENSIONS);
        for input in &inputs {
            control::check_cancelled()?;
            let mut vector = [0.0; DIMENSIONS];
            let letters: Vec<u32> = input.to_lowercase().chars().map(u32::from).collect();
            for pair in letters.windows(2) {
                let place = pair[0].wrapping_mul(31).wrapping_add(pair[1]) as usize % DIMENSIONS;
                vector[place] += 1.0;
            }
            normalize(&mut vector);
            numbers.extend(vector);
        }
        Ok(numbers)
    }
}
