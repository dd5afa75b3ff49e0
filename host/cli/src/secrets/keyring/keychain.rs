//! The keychain of macOS.

use super::{UNLOCK, within};
use security_framework::base::Error;
use security_framework::passwords::{
    delete_generic_password, get_generic_password, set_generic_password,
};
use zeroize::Zeroizing;

const SERVICE: &str = "hydroid master key of stored secrets";

/// `errSecItemNotFound` of Security.framework.
const NOT_FOUND: i32 = -25300;

pub(super) async fn read(id: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let id = id.to_owned();
    blocking(move || found(get_generic_password(SERVICE, &id).map(Zeroizing::new))).await
}

pub(super) async fn write(id: &str, bytes: &[u8]) -> Result<(), String> {
    let (id, bytes) = (id.to_owned(), Zeroizing::new(bytes.to_vec()));
    blocking(move || set_generic_password(SERVICE, &id, &bytes)).await
}

pub(super) async fn remove(id: &str) -> Result<(), String> {
    let id = id.to_owned();
    blocking(move || found(delete_generic_password(SERVICE, &id))).await.map(|_| ())
}

fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

/// The framework blocks, for as long as it asks the person.
async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, String> {
    within(UNLOCK, tokio::task::spawn_blocking(ask)).await?.map_err(|error| error.to_string())
}
