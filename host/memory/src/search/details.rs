//! Hits as they are shown: a note as a whole, the part of a message or of a file that fits.

use super::candidates::Candidate;
use crate::failure::Failure;
use crate::notes::note_id;
use crate::sql::Connection;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{Hit, Origin, Source, Why};
use libsql::params;

const NOTE: &str = "
    SELECT text, created_ms, updated_ms, own,
           (SELECT json_group_array(tag) FROM note_tags WHERE note_id = notes.id),
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?2
                       AND kind = 'note' AND place = 'note-' || notes.id),
           session_id IS NOT NULL, (SELECT untrusted FROM sessions WHERE id = notes.session_id)
    FROM notes WHERE id = ?1 AND user_id = ?2";

const MESSAGE: &str = "
    SELECT c.text, m.at_ms, m.session_id, m.role,
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?2
                       AND kind = 'session' AND place = m.session_id),
           s.untrusted
    FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
        JOIN chunks AS c ON c.id = ?3
    WHERE m.id = ?1 AND s.user_id = ?2";

const FILE: &str = "
    SELECT c.text, f.modified_ms, f.path,
           EXISTS (SELECT 1 FROM secret_places WHERE user_id = ?2
                       AND kind = 'file' AND place = f.path)
    FROM files AS f JOIN chunks AS c ON c.id = ?3
    WHERE f.id = ?1 AND f.user_id = ?2";

/// The hit of a candidate; none if it went away meanwhile.
pub(super) async fn hit(
    connection: &Connection,
    user: &UserId,
    found: &Candidate,
    (score, why): (f64, Why),
    vouch: bool,
) -> Result<Option<Hit>, Failure> {
    match found.source {
        Source::Note => note(connection, user, found.owner, (score, why), vouch).await,
        Source::Message => {
            let values = params![found.owner, user.as_str(), found.id];
            let mut rows = connection.query(MESSAGE, values).await?;
            let Some(row) = rows.next().await? else { return Ok(None) };
            let session = SessionId::new(row.get::<String>(2)?);
            let vouched = vouch && !row.get::<bool>(5)?;
            Ok(Some(Hit {
                id: format!("message-{}", found.owner),
                text: row.get(0)?,
                score,
                created_ms: u64::try_from(row.get::<i64>(1)?)?,
                from: Origin::Message { session, role: row.get(3)? },
                secret: row.get(4)?,
                vouched,
                why,
            }))
        }
        Source::File => {
            let values = params![found.owner, user.as_str(), found.id];
            let mut rows = connection.query(FILE, values).await?;
            let Some(row) = rows.next().await? else { return Ok(None) };
            let part = u32::try_from(found.position.saturating_add(1))?;
            Ok(Some(Hit {
                id: format!("file-{}.{part}", found.owner),
                text: row.get(0)?,
                score,
                created_ms: u64::try_from(row.get::<i64>(1)?)?,
                from: Origin::File { path: row.get(2)?, part },
                secret: row.get(3)?,
                vouched: false,
                why,
            }))
        }
    }
}

/// A note as a hit; none if there is none of this user.
pub(super) async fn note(
    connection: &Connection,
    user: &UserId,
    id: i64,
    (score, why): (f64, Why),
    vouch: bool,
) -> Result<Option<Hit>, Failure> {
    let mut rows = connection.query(NOTE, params![id, user.as_str()]).await?;
    let Some(row) = rows.next().await? else { return Ok(None) };
    let tags = serde_json::from_str(row.get_str(4)?)?;
    let updated_ms = u64::try_from(row.get::<i64>(2)?)?;
    let (own, of_session): (bool, bool) = (row.get(3)?, row.get(6)?);
    let vouched = match of_session {
        _ if !vouch => false,
        // Of a session that is gone nobody can say any more what it had read.
        true => row.get::<Option<bool>>(7)? == Some(false),
        false => own,
    };
    Ok(Some(Hit {
        id: note_id(id),
        text: row.get(0)?,
        score,
        created_ms: u64::try_from(row.get::<i64>(1)?)?,
        from: Origin::Note { tags, updated_ms, own },
        secret: row.get(5)?,
        vouched,
        why,
    }))
}
