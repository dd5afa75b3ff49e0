//! Whether a session has ever read what nobody vouches for: a mark beside the session, set as its
//! entries are appended. What counts as that is for core to say; what follows from it is not known
//! here.

use crate::failure::Failure;
use crate::sql::Connection;
use hydroid_core::id::SessionId;

/// Marks a session by its entries, for those that were not appended one after another.
pub(crate) async fn mark_if_untrusted(
    connection: &Connection,
    session: &SessionId,
) -> Result<(), Failure> {
    // `entries.json` in full: `json_each` has a column of that name itself.
    let sql = "UPDATE sessions SET untrusted = 1 WHERE id = ?1 AND EXISTS (
        SELECT 1 FROM entries WHERE session_id = ?1 AND (
            (kind = 'call_finished' AND json ->> '$.label.trust' = 'untrusted'
                AND json ->> '$.output.content[0]' IS NOT NULL)
            OR (kind IN ('turn_started', 'steered') AND EXISTS (
                SELECT 1 FROM json_each(entries.json, '$.parts') AS part
                WHERE part.value ->> '$.label.trust' = 'untrusted'))))";
    connection.execute(sql, [session.as_str()]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;
    use hydroid_core::entry::Entry;
    use hydroid_core::id::{CallId, ComponentId, TurnId, UserId};
    use hydroid_core::message::{Content, Label, Part, Trust};
    use hydroid_core::ports::{Journal, NewSession, StoredSessions};
    use hydroid_core::taint::Taint;
    use hydroid_core::tool::ToolOutput;

    fn new(id: &str) -> NewSession {
        let user = UserId::new("local");
        NewSession { id: SessionId::new(id), user, title: String::new(), created_ms: 1 }
    }

    /// What an entry can bring: trusted or not, something or nothing, and words that look like it.
    fn entries() -> Vec<Entry> {
        let turn = TurnId::new("t");
        let data = Label { trust: Trust::Untrusted, ..Label::user() };
        let words = r#"{"label":{"trust":"untrusted"}} "trust":"untrusted""#;
        let parts = |labels: &[&Label]| {
            labels.iter().map(|label| Part::new(Content::text(words), (*label).clone())).collect()
        };
        let output = |content: Vec<Content>| ToolOutput { content, ..ToolOutput::error("") };
        let finished = |label: &Label, content| Entry::CallFinished {
            turn: turn.clone(),
            call_id: CallId::new("c"),
            output: output(content),
            label: label.clone(),
        };
        let trusted = Label::user();
        let json = Content::Json { json: serde_json::json!({ "label": { "trust": "untrusted" } }) };
        vec![
            Entry::TurnStarted { turn: turn.clone(), parts: parts(&[&trusted]), key: None },
            Entry::TurnStarted { turn: turn.clone(), parts: parts(&[&trusted, &data]), key: None },
            Entry::TurnStarted { turn: turn.clone(), parts: Vec::new(), key: None },
            Entry::Steered { turn: turn.clone(), parts: parts(&[&trusted]), key: None },
            Entry::Steered { turn: turn.clone(), parts: parts(&[&data]), key: None },
            finished(&trusted, vec![Content::text(words)]),
            finished(&data, Vec::new()),
            finished(&data, vec![Content::text("")]),
            finished(&trusted, vec![json]),
            Entry::Text { turn: turn.clone(), text: words.to_owned() },
            Entry::Notice { turn: turn.clone(), text: words.to_owned() },
            Entry::StepStarted {
                turn,
                step: 1,
                provider: ComponentId::new("provider-x"),
                model: "untrusted".into(),
            },
        ]
    }

    async fn is_marked(database: &Database, session: &str) -> bool {
        let session = session.to_owned();
        database
            .read_memory("look", async move |connection| {
                let sql = "SELECT untrusted FROM sessions WHERE id = ?1";
                let mut rows = connection.query(sql, [session]).await?;
                Ok(rows.next().await?.expect("the session is there").get::<bool>(0)?)
            })
            .await
            .unwrap()
    }

    /// Each entry alone, and each after each other one: the mark, a mark by the entries and the
    /// entries as core reads them agree.
    #[tokio::test]
    async fn the_mark_is_what_reading_all_entries_says() {
        let database = Database::open_in_memory().await.unwrap();
        let entries = entries();
        let alone = entries.iter().map(|entry| vec![entry.clone()]);
        let pairs = entries
            .iter()
            .flat_map(|first| entries.iter().map(|second| vec![first.clone(), second.clone()]));
        let mut marked = 0;
        for (number, said) in alone.chain(pairs).enumerate() {
            let (name, copy) = (format!("s{number}"), format!("c{number}"));
            let session = SessionId::new(&name);
            database.create(new(&name)).await.unwrap();
            for entry in &said {
                database.append(&session, std::slice::from_ref(entry), 1).await.unwrap();
            }
            let read = database.entries(&UserId::new("local"), &session, 0).await.unwrap();
            let expect = Taint::of(read.iter().map(|stored| &stored.entry)).is_untrusted();
            assert_eq!(is_marked(&database, &name).await, expect, "{said:?}");
            marked += usize::from(expect);
            // By the entries alone, as after a copy or an older version.
            database
                .write_memory("look", async move |connection| {
                    connection
                        .execute("UPDATE sessions SET untrusted = 0 WHERE id = ?1", [name.as_str()])
                        .await?;
                    mark_if_untrusted(connection, &SessionId::new(name)).await
                })
                .await
                .unwrap();
            assert_eq!(is_marked(&database, session.as_str()).await, expect, "{said:?}");
            database.fork(&session, new(&copy), Some(&TurnId::new("none")), None).await.unwrap();
            assert!(!is_marked(&database, &copy).await, "nothing was copied");
        }
        assert!(marked > 10, "{marked}");
    }

    #[tokio::test]
    async fn a_copy_of_a_session_is_marked_by_what_was_copied() {
        let database = Database::open_in_memory().await.unwrap();
        database.create(new("s")).await.unwrap();
        let session = SessionId::new("s");
        let begun = |turn: &str, label: Label| Entry::TurnStarted {
            turn: TurnId::new(turn),
            parts: vec![Part::new(Content::text("x"), label)],
            key: None,
        };
        let data = Label { trust: Trust::Untrusted, ..Label::user() };
        let ended = |turn: &str| Entry::TurnEnded {
            turn: TurnId::new(turn),
            outcome: hydroid_core::entry::Outcome::Completed,
            usage: hydroid_core::message::Usage::default(),
            dollars: None,
        };
        let entries = [begun("1", Label::user()), ended("1"), begun("2", data), ended("2")];
        database.append(&session, &entries, 1).await.unwrap();
        database.fork(&session, new("all"), None, None).await.unwrap();
        database.fork(&session, new("part"), Some(&TurnId::new("2")), None).await.unwrap();
        assert!(is_marked(&database, "all").await);
        assert!(!is_marked(&database, "part").await);
    }
}
