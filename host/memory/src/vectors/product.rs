//! Products of a vector with many others, all with one byte a number: what a scan does most. With
//! AVX2, found out when it runs, thirty-two numbers at once; otherwise one after the other.

/// Adds the product of a vector with each of others, in their order. Numbers are from -127 to
/// 127; what one vector has more of than the other counts for nothing.
pub(super) fn products<'a>(
    one: &[i8],
    others: impl Iterator<Item = &'a [i8]>,
    into: &mut Vec<f32>,
) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(
            unsafe_code,
            reason = "whether the processor has them is known only when it runs"
        )]
        // SAFETY: it was asked in the line before.
        return unsafe { wide::products(one, others, into) };
    }
    into.extend(others.map(|other| as_f32(product(one, other))));
}

/// The product of two.
pub(super) fn product(one: &[i8], other: &[i8]) -> i32 {
    one.iter().zip(other).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

#[expect(clippy::cast_precision_loss, reason = "products are compared, not counted")]
pub(super) fn as_f32(number: i32) -> f32 {
    number as f32
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{as_f32, product};
    use std::arch::x86_64::{
        __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_shuffle_epi32, _mm256_abs_epi8,
        _mm256_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_set_epi64x, _mm256_set1_epi16, _mm256_setzero_si256,
        _mm256_sign_epi8,
    };

    /// Numbers of one step.
    const AT_ONCE: usize = 32;

    #[target_feature(enable = "avx2")]
    pub(super) fn products<'a>(
        one: &[i8],
        others: impl Iterator<Item = &'a [i8]>,
        into: &mut Vec<f32>,
    ) {
        let (whole, rest) = one.as_chunks::<AT_ONCE>();
        let ones = _mm256_set1_epi16(1);
        // The instruction multiplies what has no sign by what has one, so the sign of the one is
        // given to the other. Two products are at most 32,258, which 16 bits hold.
        let steps: Vec<(__m256i, __m256i)> = whole
            .iter()
            .map(|numbers| {
                let numbers = register(numbers);
                (numbers, _mm256_abs_epi8(numbers))
            })
            .collect();
        for other in others {
            let (other_whole, other_rest) = other.as_chunks::<AT_ONCE>();
            let mut sums = _mm256_setzero_si256();
            for (other, (signs, sizes)) in other_whole.iter().zip(&steps) {
                let signed = _mm256_sign_epi8(register(other), *signs);
                let pairs = _mm256_maddubs_epi16(*sizes, signed);
                sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones));
            }
            let rest = if rest.is_empty() { 0 } else { product(rest, other_rest) };
            into.push(as_f32(sum(sums) + rest));
        }
    }

    #[target_feature(enable = "avx2")]
    fn register(numbers: &[i8; AT_ONCE]) -> __m256i {
        let (quarters, _) = numbers.as_chunks::<8>();
        let quarter = |at: usize| {
            let bytes = quarters.get(at).map(|bytes| bytes.map(i8::cast_unsigned));
            bytes.map_or(0, i64::from_le_bytes)
        };
        _mm256_set_epi64x(quarter(3), quarter(2), quarter(1), quarter(0))
    }

    #[target_feature(enable = "avx2")]
    fn sum(sums: __m256i) -> i32 {
        let halves =
            _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        let quarters = _mm_add_epi32(halves, _mm_shuffle_epi32::<0b01_00_11_10>(halves));
        let all = _mm_add_epi32(quarters, _mm_shuffle_epi32::<0b10_11_00_01>(quarters));
        _mm_cvtsi128_si32(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_gives_the_same_for_any_length() {
        let number = |seed: usize| i8::try_from(seed * 37 % 255).map_or(-127, |number| number);
        for length in [0, 1, 31, 32, 33, 64, 100, 256, 384] {
            let vector = |seed: usize| (0..length).map(|at| number(at * seed + seed)).collect();
            let vectors: Vec<Vec<i8>> =
                (0..5).map(vector).chain([vec![127; length], vec![-127; length]]).collect();
            for one in &vectors {
                let mut found = Vec::new();
                products(one, vectors.iter().map(Vec::as_slice), &mut found);
                let wanted: Vec<f32> =
                    vectors.iter().map(|other| as_f32(product(one, other))).collect();
                assert_eq!(found, wanted, "{length}");
            }
        }
    }

    #[test]
    fn a_vector_that_is_not_there_is_like_nothing() {
        let mut found = Vec::new();
        products(&[1; 40], [&[][..], &[2; 40], &[2; 7]].into_iter(), &mut found);
        assert_eq!(found[0..2], [0.0, 80.0]);
    }
}
