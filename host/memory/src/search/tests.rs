//! Searching as people and models write: words, hostile words, and what other users have.

use super::*;
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::id::{SessionId, TurnId};
use hydroid_core::message::{Message, StopReason, Usage};
use hydroid_core::ports::{Journal, NewSession, Note, Origin, Recall};

fn local() -> UserId {
    UserId::new("local")
}

fn question(words: &str) -> Question {
    Question { words: words.into(), limit: 10, ..Question::default() }
}

async fn database_with(notes: &[(&str, &[&str], u64)]) -> Database {
    let database = Database::open_in_memory().await.unwrap();
    for (text, tags, at) in notes {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let note = Note::new((*text).to_owned(), &tags).unwrap();
        database.save(&local(), note, *at).await.unwrap();
    }
    database
}

async fn texts(database: &Database, question: Question) -> Vec<String> {
    let hits = database.search(&local(), question).await.unwrap();
    hits.into_iter().map(|hit| hit.text).collect()
}

/// A session in which each pair is a question and the pieces of an answer.
async fn conversation(database: &Database, id: &str, user: &UserId, turns: &[(&str, &[&str])]) {
    database.add_user(user).await.unwrap();
    let session = SessionId::new(id);
    let title = "t".to_owned();
    let new = NewSession { id: session.clone(), user: user.clone(), title, created_ms: 1 };
    database.create(new).await.unwrap();
    for (number, (asked, answered)) in turns.iter().enumerate() {
        let turn = TurnId::new(format!("{id}-{number}"));
        let mut entries = vec![Entry::TurnStarted {
            turn: turn.clone(),
            parts: Message::user(*asked).parts,
            key: None,
        }];
        let pieces = answered.iter();
        entries.extend(
            pieces.map(|text| Entry::Text { turn: turn.clone(), text: (*text).to_owned() }),
        );
        entries.push(Entry::StepEnded {
            turn: turn.clone(),
            stop: StopReason::EndTurn,
            usage: Usage::default(),
            dollars: None,
        });
        let (outcome, usage) = (Outcome::Completed, Usage::default());
        entries.push(Entry::TurnEnded { turn, outcome, usage, dollars: None });
        for entry in entries {
            database.append(&session, &[entry], 100 + number as u64).await.unwrap();
        }
    }
}

#[tokio::test]
async fn words_are_found_in_any_form() {
    let database = database_with(&[
        ("the Harbour Inn has a room from the 14th", &[], 1),
        ("Café Müller opens at nine", &[], 2),
        ("buy milk", &[], 3),
    ])
    .await;
    for (words, expect) in [
        ("harbour", "the Harbour Inn has a room from the 14th"),
        ("HARBOURS?", "the Harbour Inn has a room from the 14th"),
        ("what about rooms", "the Harbour Inn has a room from the 14th"),
        ("harb", "the Harbour Inn has a room from the 14th"),
        ("cafe muller", "Café Müller opens at nine"),
        ("OPENING", "Café Müller opens at nine"),
    ] {
        assert_eq!(texts(&database, question(words)).await, [expect], "{words}");
    }
    assert_eq!(texts(&database, question("harb milk")).await, ["buy milk"], "only the last begins");
    assert_eq!(texts(&database, question("nothing like that")).await, [""; 0]);
}

#[tokio::test]
async fn the_best_fit_is_first() {
    let database = database_with(&[
        ("a room with a view", &[], 1),
        ("the harbour inn has a room", &[], 2),
        ("trains leave at noon", &[], 3),
        ("the library is closed", &[], 4),
    ])
    .await;
    let found = database.search(&local(), question("room harbour")).await.unwrap();
    let texts: Vec<&str> = found.iter().map(|hit| hit.text.as_str()).collect();
    assert_eq!(texts, ["the harbour inn has a room", "a room with a view"]);
    assert!(found[0].score > found[1].score);
    let one = Question { limit: 1, ..question("room harbour") };
    assert_eq!(self::texts(&database, one).await, ["the harbour inn has a room"]);
    let none = Question { limit: 0, ..question("room") };
    assert_eq!(self::texts(&database, none).await, [""; 0]);
}

#[tokio::test]
async fn nothing_in_a_question_is_syntax() {
    let database = database_with(&[("alpha beta", &[], 1), ("gamma", &[], 2)]).await;
    let long = "alpha ".repeat(20_000);
    let wide = (0..20_000).map(|n| format!("w{n} ")).collect::<String>();
    let one_word = "x".repeat(100_000);
    for words in [
        "alpha\"",
        "\"alpha",
        "\"\"\"",
        "alpha*",
        "*alpha",
        "alpha NEAR beta",
        "NEAR(alpha beta, 5)",
        "alpha AND",
        "OR OR alpha",
        "NOT alpha",
        "text:alpha",
        "^alpha",
        "-alpha",
        "+alpha",
        "{alpha}",
        "(alpha",
        "alpha)",
        "alpha\0beta",
        "'; DROP TABLE notes; --alpha",
        "\\alpha",
        "%alpha_",
        "🦀alpha",
        "alpha\u{301}\u{301}",
        "\u{202e}alpha",
        &long,
    ] {
        let found = texts(&database, question(words)).await;
        assert!(found.contains(&"alpha beta".to_owned()), "{:.40}: {found:?}", words);
    }
    for words in ["🦀 x", "½", "ⅷ", "١٢", "हिन्दी", "漢字", "\u{345}", "\u{a70}", &wide, &one_word]
    {
        assert_eq!(texts(&database, question(words)).await, [""; 0], "{:.40}", words);
    }
    let notes = ["gamma", "alpha beta"];
    for words in ["", "*", "\"", "\0", "!?", "() -- ;", "🦀"] {
        assert_eq!(
            texts(&database, question(words)).await,
            notes,
            "the newest notes for {words:?}"
        );
    }
}

#[tokio::test]
async fn tags_and_times_narrow() {
    let database = database_with(&[
        ("room one", &["travel", "sea"], 1_000),
        ("room two", &["travel"], 2_000),
        ("room three", &[], 3_000),
    ])
    .await;
    conversation(&database, "s", &local(), &[("a room please", &[])]).await;
    let tagged = |tags: &[&str]| Question {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..question("room")
    };
    assert_eq!(texts(&database, tagged(&["travel", "sea"])).await, ["room one"]);
    assert_eq!(texts(&database, tagged(&["travel"])).await, ["room two", "room one"]);
    assert_eq!(texts(&database, tagged(&["tr\"avel"])).await, [""; 0]);
    let newest = Question { words: String::new(), ..tagged(&["travel"]) };
    assert_eq!(texts(&database, newest).await, ["room two", "room one"]);
    let time = Question { after_ms: Some(2_000), before_ms: Some(3_000), ..question("room") };
    assert_eq!(texts(&database, time).await, ["room two"]);
    let never = Question { after_ms: Some(u64::MAX), ..question("room") };
    assert_eq!(texts(&database, never).await, [""; 0]);
}

#[tokio::test]
async fn what_was_said_is_found_across_the_pieces_it_came_in() {
    let database = database_with(&[]).await;
    let turns: [(&str, &[&str]); 2] =
        [("where is the spare key", &["It is under the blue flo", "wer", "pot."]), ("thanks", &[])];
    conversation(&database, "s", &local(), &turns).await;
    let hits = database.search(&local(), question("flowerpot")).await.unwrap();
    assert_eq!(hits[0].text, "It is under the blue flowerpot.");
    assert_eq!(
        hits[0].from,
        Origin::Message { session: SessionId::new("s"), role: "assistant".into() }
    );
    let around = ["where is the spare key", "It is under the blue flowerpot."];
    assert_eq!(texts(&database, question("spare")).await, around, "and what stands beside it");
    let asking = Question { asked_in: Some(TurnId::new("s-0")), ..question("spare thanks") };
    assert_eq!(
        texts(&database, asking).await,
        ["thanks"],
        "not what was said in the turn that asks"
    );
    let notes = Question { sources: [Source::Note].into(), ..question("spare") };
    assert_eq!(texts(&database, notes).await, [""; 0]);
    let no_words = Question { sources: [Source::Message].into(), ..question("?") };
    assert!(matches!(database.search(&local(), no_words).await, Err(RecallError::NoWords)));
    assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_long_message_is_cut_to_the_part_that_fits() {
    let database = database_with(&[]).await;
    let before = "lorem ipsum ".repeat(5_000);
    let asked = format!("{before} the cellar door sticks {before}");
    conversation(&database, "s", &local(), &[(&asked, &[])]).await;
    let found = texts(&database, question("cellar")).await;
    assert!(found[0].contains("the cellar door sticks"), "{found:?}");
    assert!(found[0].len() < 1_000, "{} bytes", found[0].len());
}

#[tokio::test]
async fn what_another_user_said_is_never_found() {
    let database = database_with(&[]).await;
    let anna = UserId::new("anna");
    conversation(&database, "hers", &anna, &[("my password is swordfish", &["noted, swordfish"])])
        .await;
    conversation(&database, "mine", &local(), &[("hello", &["hi"])]).await;
    assert_eq!(texts(&database, question("swordfish password hello")).await, ["hello", "hi"]);
    assert_eq!(database.search(&anna, question("swordfish")).await.unwrap().len(), 2);
    assert_eq!(database.search(&anna, question("hello hi")).await.unwrap(), []);
}

/// A process that ended in the middle leaves text without an end; the turn's end comes later.
#[tokio::test]
async fn an_answer_cut_off_by_a_crash_is_found_once_its_turn_is_closed() {
    let database = database_with(&[]).await;
    conversation(&database, "s", &local(), &[]).await;
    let (session, turn) = (SessionId::new("s"), TurnId::new("t"));
    let said = Entry::Text { turn: turn.clone(), text: "half an answer about whales".into() };
    database.append(&session, &[said], 2).await.unwrap();
    assert_eq!(texts(&database, question("whales")).await, [""; 0]);
    let (outcome, usage) = (Outcome::Interrupted, Usage::default());
    let ended = Entry::TurnEnded { turn, outcome, usage, dollars: None };
    database.append(&session, &[ended.clone(), ended], 3).await.unwrap();
    assert_eq!(texts(&database, question("whale")).await, ["half an answer about whales"]);
}

/// A NUL is dropped nowhere on the way into the index, and the index still fits the texts.
#[tokio::test]
async fn the_index_fits_whatever_was_said() {
    let database = database_with(&[("a note", &["a"], 1)]).await;
    let large = "wörd ".repeat(100_000);
    let turns: [(&str, &[&str]); 5] = [
        ("before \0 after", &["one\0", "two"]),
        ("", &["", ""]),
        ("\u{fffe}\u{10ffff}\u{200d}", &["🦀", "\u{301}"]),
        (&large, &[&large]),
        ("quote \" and \\ and 'single'", &["</script>", "${x}"]),
    ];
    conversation(&database, "s", &local(), &turns).await;
    database.check_index().await;
    assert!(texts(&database, question("single")).await[0].contains("'single'"));
    assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
}

/// The comparison the tests above lean on.
#[tokio::test]
#[should_panic(expected = "the index agrees with the texts")]
async fn an_index_that_does_not_fit_is_noticed() {
    let database = database_with(&[("alpha", &[], 1)]).await;
    let change = database.write("change a note behind the index", async |connection| {
        connection
            .execute_batch("DROP TRIGGER chunk_added; DROP TRIGGER chunk_removed; UPDATE notes SET text = 'beta'")
            .await?;
        Ok(())
    });
    change.await.unwrap();
    database.check_index().await;
}

#[tokio::test]
async fn a_session_that_is_left_out_hides_nothing_behind_all_it_said() {
    let database = database_with(&[("a harbour in the north", &[], 5)]).await;
    let said = ["the harbour, the harbour"; 400];
    let turns: Vec<(&str, &[&str])> = said.iter().map(|text| (*text, [].as_slice())).collect();
    conversation(&database, "long", &local(), &turns).await;
    conversation(&database, "short", &local(), &[("which harbour?", &["the old one"])]).await;
    let left_out =
        |session: &str| Question { not_of: Some(SessionId::new(session)), ..question("harbour") };
    let found = texts(&database, left_out("long")).await;
    assert_eq!(found, ["a harbour in the north", "which harbour?", "the old one"]);
    let found = texts(&database, left_out("short")).await;
    assert!(found.len() == 10 && !found.contains(&"which harbour?".to_owned()), "{found:?}");
}
