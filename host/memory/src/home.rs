//! The name of this home, by which it knows its own among what several keep at one service.

use crate::database::Database;
use hydroid_core::ports::StoreError;

impl Database {
    /// The name; empty where everything is in a file of its own.
    pub(crate) async fn home(&self) -> Result<String, StoreError> {
        if self.service().is_none() {
            return Ok(String::new());
        }
        self.read("read the name of this home", async |connection| {
            let mut rows = connection.query("SELECT id FROM home", ()).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            Ok(row.get(0)?)
        })
        .await
    }
}
