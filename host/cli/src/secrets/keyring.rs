//! The system's keyring: where a master key is kept if there is one. A keyring that is not there
//! or hangs costs a bounded time and is an answer, not an error of ours.

#[cfg(target_os = "macos")]
mod keychain;
#[cfg(target_os = "linux")]
mod secret_service;

#[cfg(target_os = "macos")]
use keychain as system;
#[cfg(target_os = "linux")]
use secret_service as system;

use crate::env::Environment;
use std::time::Duration;
use zeroize::Zeroizing;

/// A keyring that is there answers in a few milliseconds; this is for one that has to be started.
const ANSWER: Duration = Duration::from_secs(3);

/// A person types a password to unlock it.
const UNLOCK: Duration = Duration::from_secs(60);

/// The keyring of whoever started the process.
#[derive(Clone, Debug)]
pub(crate) struct Keyring {
    /// Why it is not asked, if something says beforehand that nobody would answer.
    absent: Option<&'static str>,
}

impl Keyring {
    /// Looks only at the environment; nothing is asked yet.
    pub(crate) fn detect(environment: &Environment) -> Self {
        let absent = if cfg!(target_os = "macos") {
            None
        } else if !cfg!(target_os = "linux") {
            Some("there is none on this system")
        } else if environment.has_session_bus() {
            None
        } else {
            Some("there is no D-Bus session here (`DBUS_SESSION_BUS_ADDRESS` is not set)")
        };
        Self { absent }
    }

    /// What is kept under an identifier.
    pub(crate) async fn read(&self, id: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        self.there()?;
        system::read(id).await
    }

    /// Keeps something under an identifier, and reads it back: what a keyring only seems to have
    /// kept would be lost with everything sealed under it.
    pub(crate) async fn write(&self, id: &str, bytes: &[u8]) -> Result<(), String> {
        self.there()?;
        system::write(id, bytes).await?;
        match system::read(id).await? {
            Some(kept) if kept.as_slice() == bytes => Ok(()),
            Some(_) | None => Err("it does not keep what it is given".to_owned()),
        }
    }

    /// Removes what is kept under an identifier; nothing there is fine.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), String> {
        self.there()?;
        system::remove(id).await
    }

    fn there(&self) -> Result<(), String> {
        self.absent.map_or(Ok(()), |why| Err(why.to_owned()))
    }
}

/// Waits for an answer no longer than this.
async fn within<T, E: std::fmt::Display>(
    time: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(time, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it did not answer in {} s", time.as_secs())),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    //! Systems without a keyring that we know.

    use zeroize::Zeroizing;

    const NONE: &str = "there is none on this system";

    pub(super) async fn read(_: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        Err(NONE.to_owned())
    }

    pub(super) async fn write(_: &str, _: &[u8]) -> Result<(), String> {
        Err(NONE.to_owned())
    }

    pub(super) async fn remove(_: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn where_there_is_no_session_bus_nobody_is_asked() {
        let keyring = Keyring::detect(&Environment::of(&[]));
        let began = Instant::now();
        let problem = keyring.read("x").await.unwrap_err();
        assert!(problem.contains("no D-Bus session"), "{problem}");
        assert!(keyring.write("x", b"y").await.is_err() && keyring.remove("x").await.is_err());
        assert!(began.elapsed() < Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_keyring_that_hangs_is_given_up() {
        let hanging = std::future::pending::<Result<(), String>>();
        let problem = within(Duration::from_millis(10), hanging).await;
        assert_eq!(problem.unwrap_err(), "it did not answer in 0 s");
    }
}
