//! The Secret Service of a Linux desktop, over D-Bus: GNOME Keyring, KWallet, KeePassXC.

use super::{ANSWER, UNLOCK, within};
use secret_service::{EncryptionType, Error, Item, SecretService};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// What an item of ours is found by.
fn attributes(id: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "hydroid"), ("master-key", id)])
}

pub(super) async fn read(id: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let service = connect().await?;
    let Some(item) = find(&service, id).await? else { return Ok(None) };
    within(ANSWER, item.get_secret()).await.map(|bytes| Some(Zeroizing::new(bytes)))
}

pub(super) async fn write(id: &str, bytes: &[u8]) -> Result<(), String> {
    let service = connect().await?;
    // Not just any collection: that of the session is gone with it.
    let collection = within(ANSWER, service.get_default_collection()).await?;
    if within(ANSWER, collection.is_locked()).await? {
        within(UNLOCK, collection.unlock()).await?;
    }
    let label = "Hydroid: master key of stored secrets";
    let kind = "application/octet-stream";
    let created = collection.create_item(label, attributes(id), bytes, true, kind);
    within(ANSWER, created).await?;
    Ok(())
}

pub(super) async fn remove(id: &str) -> Result<(), String> {
    let service = connect().await?;
    match find(&service, id).await? {
        Some(item) => within(ANSWER, item.delete()).await,
        None => Ok(()),
    }
}

async fn connect<'a>() -> Result<SecretService<'a>, String> {
    within(ANSWER, SecretService::connect(EncryptionType::Dh)).await
}

/// The item of an identifier, unlocked.
async fn find<'a>(service: &'a SecretService<'_>, id: &str) -> Result<Option<Item<'a>>, String> {
    let found = within::<_, Error>(ANSWER, service.search_items(attributes(id))).await?;
    if let Some(item) = found.unlocked.into_iter().next() {
        return Ok(Some(item));
    }
    let Some(item) = found.locked.into_iter().next() else { return Ok(None) };
    within(UNLOCK, item.unlock()).await?;
    Ok(Some(item))
}
