//! What searching a large memory costs: 100,000 chunks of made-up text with the word frequencies
//! of real text, vectors of 256 numbers, and the database's own vector index beside ours. It
//! prints a table and decides nothing.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement prints, reads files and reckons with rounded numbers"
)]

use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::ports::{
    EmbedError, EmbedPurpose, Embedder, EmbedderDescription, Note, Question, Recall, Scope,
};
use hydroid_core::retrieval::fusion::Tuning;
use hydroid_core::telemetry::Trace;
use hydroid_memory::{Database, Memory, NewFile};
use std::sync::Arc;
use std::time::{Duration, Instant};

const DIMENSIONS: usize = 256;

/// Different words of the made-up language.
const WORDS: usize = 50_000;

struct Random(u64);

impl Random {
    fn number(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A word: the most frequent is in every sentence, most are hardly ever used.
    fn word(&mut self) -> usize {
        ((WORDS as f64).powf(self.number()) as usize).min(WORDS - 1)
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for place in 0..words {
            text.push_str(&name(self.word()));
            text.push_str(if place % 12 == 11 { ". " } else { " " });
        }
        text
    }
}

fn name(word: usize) -> String {
    let syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "to", "vi", "pe", "du"];
    word.to_string().bytes().map(|digit| syllables[usize::from(digit - b'0')]).collect()
}

/// The sum of a direction for each word.
struct Words;

impl Embedder for Words {
    fn describe(&self) -> BoxFuture<'_, Result<EmbedderDescription, EmbedError>> {
        Box::pin(async {
            let (identity, model) = ("00".to_owned(), "words".to_owned());
            Ok(EmbedderDescription {
                identity,
                model,
                dimensions: DIMENSIONS as u32,
                normalized: false,
            })
        })
    }

    fn embed<'a>(
        &'a self,
        _: &'a UserId,
        texts: Vec<String>,
        _: EmbedPurpose,
        _: Option<Trace>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        Box::pin(async move { Ok(texts.iter().map(|text| vector(text)).collect()) })
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    for word in text.split_whitespace() {
        let seed =
            word.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let mut random = Random(seed);
        for number in &mut vector {
            *number += (random.number() - 0.5) as f32;
        }
    }
    vector
}

fn row(what: &str, measured: &str) {
    println!("| {what} | {measured} |");
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
    format!("p50 {:.1} ms, p95 {:.1} ms", at(50), at(95))
}

#[tokio::main]
async fn main() {
    let wanted: u64 =
        std::env::var("CHUNKS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.db");
    let database = Database::open(&path).await.unwrap();
    let user = UserId::new("local");
    let mut random = Random(1);
    println!("| What | Measured |\n|---|---|");

    let began = Instant::now();
    let mut count = 0;
    let mut number = 0;
    while count < wanted {
        let text = random.text(2_000);
        let file = NewFile {
            path: format!("/f/{number}"),
            scope: Scope::User,
            digest: number.to_string(),
            bytes: text.len() as u64,
            text,
            modified_ms: 1_000 + number,
        };
        if let hydroid_memory::Taken::New { chunks } =
            database.take_file(&user, file, 5).await.unwrap()
        {
            count += chunks;
        }
        number += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    row(
        "files taken in, cut and indexed by words",
        &format!("{:.0} chunks/s", count as f64 / seconds),
    );
    let status = database.memory_status(&user, None).await.unwrap();
    row("size without vectors", &format!("{} bytes a chunk", status.bytes / status.chunks));

    let memory = Memory::new(database.clone(), Some(Arc::new(Words)), Tuning::default());
    let began = Instant::now();
    memory.embed_all(&user, |_| {}).await.unwrap();
    let rate = count as f64 / began.elapsed().as_secs_f64();
    row("vectors made by a trivial embedder and stored", &format!("{rate:.0} chunks/s"));
    let status = database.memory_status(&user, None).await.unwrap();
    row(
        "size with vectors of 256 numbers",
        &format!("{} bytes a chunk", status.bytes / status.chunks),
    );
    row("chunks", &status.chunks.to_string());

    let words = Memory::new(database.clone(), None, Tuning::default());
    let other =
        Memory::new(Database::open(&path).await.unwrap(), Some(Arc::new(Words)), Tuning::default());
    let question = |random: &mut Random| {
        let words: Vec<String> = (0..6).map(|_| name(random.word())).collect();
        Question { words: words.join(" "), limit: 10, now_ms: Some(10_000), ..Question::default() }
    };
    let began = Instant::now();
    other.search(&user, question(&mut random)).await.unwrap();
    row(
        "the first search of a process, which reads all vectors",
        &format!("{:.0} ms", began.elapsed().as_secs_f64() * 1_000.0),
    );
    for (what, memory) in
        [("a search by words", &words), ("a search by words and meaning", &memory)]
    {
        memory.search(&user, question(&mut random)).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..200 {
            let question = question(&mut random);
            let began = Instant::now();
            memory.search(&user, question).await.unwrap();
            times.push(began.elapsed());
        }
        row(what, &percentiles(times));
    }
    let mut times = Vec::new();
    for n in 0..100 {
        let note = Note::new(format!("{n} {}", random.text(40)), &[]).unwrap();
        let began = Instant::now();
        database.save(&user, note, 5).await.unwrap();
        times.push(began.elapsed());
    }
    row("saving a note", &percentiles(times));
    index().await;
}

/// The database's own index, with as many rows as it builds in a minute or two.
async fn index() {
    const ROWS: usize = 5_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.db");
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let connection = database.connect().unwrap();
    let sql = "CREATE TABLE v (id INTEGER PRIMARY KEY, e F32_BLOB(256));
               CREATE INDEX vi ON v (libsql_vector_idx(e));";
    connection.execute_batch(sql).await.unwrap();
    let mut random = Random(2);
    let bytes = |text: &str| {
        vector(text).iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()
    };
    let began = Instant::now();
    let transaction = connection.transaction().await.unwrap();
    for id in 0..ROWS {
        let values = libsql::params![id as i64, bytes(&random.text(100))];
        transaction.execute("INSERT INTO v VALUES (?1, ?2)", values).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let rate = ROWS as f64 / began.elapsed().as_secs_f64();
    row(&format!("libsql's vector index, {ROWS} rows: building"), &format!("{rate:.0} rows/s"));
    let size = std::fs::metadata(&path).unwrap().len()
        + std::fs::metadata(directory.path().join("index.db-wal")).map_or(0, |about| about.len());
    row("libsql's vector index: size", &format!("{} bytes a row", size / ROWS as u64));
    let mut times = Vec::new();
    for _ in 0..50 {
        let question = bytes(&random.text(6));
        let began = Instant::now();
        let sql = "SELECT id FROM vector_top_k('vi', ?1, 10)";
        let mut rows = connection.query(sql, [question]).await.unwrap();
        while rows.next().await.unwrap().is_some() {}
        times.push(began.elapsed());
    }
    row("libsql's vector index: a search", &percentiles(times));
}
