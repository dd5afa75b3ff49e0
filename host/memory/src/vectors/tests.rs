//! One byte a number finds what four bytes find, and neighbours are reckoned as they stand.

use super::*;

/// A linear congruential generator: the same vectors every time.
struct Random(u64);

impl Random {
    #[expect(clippy::cast_precision_loss, reason = "any number does")]
    fn number(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = (self.0 >> 40) as f32 / 16_777_216.0;
        bits - 0.5
    }

    fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        // A sum of a few is nearer to a bell than one.
        let vector: Vec<f32> =
            (0..dimensions).map(|_| (0..4).map(|_| self.number()).sum::<f32>()).collect();
        let norm = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.into_iter().map(|number| number / norm).collect()
    }
}

fn exact(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn matrix_of(vectors: &[Vec<f32>], place: impl Fn(usize) -> (i64, i64)) -> Matrix {
    let dimensions = vectors.first().map_or(0, Vec::len);
    let mut matrix = Matrix { dimensions, ..Matrix::default() };
    for (row, vector) in vectors.iter().enumerate() {
        let quantised = Quantised::of(vector);
        let id = i64::try_from(row).unwrap();
        matrix.push(id, place(row), id, Source::File, quantised.scale, &quantised.bytes());
    }
    matrix.link(0);
    matrix
}

#[test]
fn one_byte_a_number_finds_what_an_exact_search_finds() {
    let mut random = Random(3);
    let vectors: Vec<Vec<f32>> = (0..500).map(|_| random.vector(128)).collect();
    let mut matrix = matrix_of(&vectors, |row| (i64::try_from(row).unwrap(), 0));
    let (mut found, mut wanted) = (0, 0);
    for _ in 0..20 {
        let question = random.vector(128);
        let scan = matrix.scan(&Quantised::of(&question), &Allowed::default(), 10);
        let mut best = scan.best.clone();
        best.sort_by(|a, b| b.own.total_cmp(&a.own));
        let got: Vec<usize> =
            best.iter().take(10).map(|like| usize::try_from(like.chunk).unwrap()).collect();
        let mut rows: Vec<usize> = (0..vectors.len()).collect();
        rows.sort_by(|a, b| {
            exact(&question, &vectors[*b]).total_cmp(&exact(&question, &vectors[*a]))
        });
        wanted += 10;
        found += rows[..10].iter().filter(|row| got.contains(row)).count();
    }
    assert!(found * 100 >= wanted * 95, "recall@10 is {found} of {wanted}");
}

#[test]
fn a_window_is_the_sum_of_a_chunk_and_its_neighbours_in_any_order_they_come() {
    let mut random = Random(5);
    let vectors: Vec<Vec<f32>> = (0..6).map(|_| random.vector(64)).collect();
    // Two threads of three; the second comes backwards.
    let place = |row: usize| {
        let row = i64::try_from(row).unwrap();
        if row < 3 { (1, row) } else { (2, 5 - row) }
    };
    let mut matrix = matrix_of(&vectors, place);
    let question = random.vector(64);
    let all: Vec<i64> = (0..6).collect();
    let likes = matrix.likes(&Quantised::of(&question), &all);
    for (row, neighbours) in
        [(0, vec![0, 1]), (1, vec![0, 1, 2]), (4, vec![3, 4, 5]), (3, vec![3, 4])]
    {
        let mut sum = vec![0.0; 64];
        for other in &neighbours {
            for (place, number) in sum.iter_mut().zip(&vectors[*other]) {
                *place += number;
            }
        }
        let length = exact(&sum, &sum).sqrt();
        let expect = f64::from(exact(&question, &sum) / length);
        assert!(
            (likes[row].window - expect).abs() < 0.02,
            "row {row}: {} {expect}",
            likes[row].window
        );
        let own = f64::from(exact(&question, &vectors[row]));
        assert!((likes[row].own - own).abs() < 0.02, "row {row}");
    }
    let scan = matrix.scan(&Quantised::of(&question), &Allowed::default(), 6);
    for like in scan.best {
        let other = likes[usize::try_from(like.chunk).unwrap()];
        assert!((like.window - other.window).abs() < 1e-6 && (like.own - other.own).abs() < 1e-6);
    }
}

#[test]
fn a_scan_returns_what_is_allowed_only() {
    let mut random = Random(9);
    let vectors: Vec<Vec<f32>> = (0..20).map(|_| random.vector(16)).collect();
    let mut matrix = matrix_of(&vectors, |row| (i64::try_from(row).unwrap(), 0));
    let question = Quantised::of(&random.vector(16));
    let mut found = |allowed: Allowed| {
        let scan = matrix.scan(&question, &allowed, 30);
        scan.best.iter().map(|like| like.chunk).collect::<BTreeSet<i64>>()
    };
    let time = Allowed { after_ms: 5, before_ms: Some(8), ..Allowed::default() };
    assert_eq!(found(time), BTreeSet::from([5, 6, 7]));
    let only = Allowed { only: Some(HashSet::from([1, 2])), ..Allowed::default() };
    assert_eq!(found(only), BTreeSet::from([1, 2]));
    let without = Allowed { without: (2..20).collect(), ..Allowed::default() };
    assert_eq!(found(without), BTreeSet::from([0, 1]));
    let notes = Allowed { sources: [Source::Note].into(), ..Allowed::default() };
    assert_eq!(found(notes), BTreeSet::new());
}

#[test]
fn what_is_no_vector_is_like_nothing() {
    for vector in [vec![0.0; 4], vec![f32::NAN; 4], vec![f32::INFINITY; 4], vec![]] {
        assert_eq!(Quantised::of(&vector).scale.to_bits(), 0.0_f32.to_bits(), "{vector:?}");
    }
    let mut matrix = matrix_of(&[vec![1.0, 0.0]], |_| (0, 0));
    let other = Quantised::of(&[1.0, 0.0, 0.0]);
    assert!(matrix.scan(&other, &Allowed::default(), 5).best.is_empty(), "another length");
}
