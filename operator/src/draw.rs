//! Draws passwords. The only place where the operator uses randomness.

use rand::{TryRngCore, rngs::OsRng};
use secrecy::SecretString;

use crate::plan::{
    certificates::Certificates,
    credentials::{Application, Credentials},
};

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// 32 of 62 letters are 190 bits.
const LENGTH: usize = 32;
/// By which people and scanners know a leaked key.
const API_KEY_PREFIX: &str = "rag_";

/// The operating system gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("no password can be drawn: the operating system gives no randomness")]
pub struct DrawError(#[source] rand::rand_core::OsError);

/// New credentials, for those of a pipeline that has none yet.
///
/// # Errors
/// The operating system gives no randomness.
pub fn credentials() -> Result<Credentials, DrawError> {
    Ok(Credentials {
        superuser: text("")?,
        owner: text("")?,
        application: Application::new(text("")?),
        replication: text("")?,
        valkey: text("")?,
        api_key: text(API_KEY_PREFIX)?,
        certificates: Certificates::default(),
    })
}

/// One more password.
///
/// # Errors
/// The operating system gives no randomness.
pub fn password() -> Result<SecretString, DrawError> {
    text("")
}

fn text(prefix: &str) -> Result<SecretString, DrawError> {
    let mut text = String::with_capacity(prefix.len() + LENGTH);
    text.push_str(prefix);
    let mut bytes = [0_u8; LENGTH];
    while text.len() < prefix.len() + LENGTH {
        OsRng.try_fill_bytes(&mut bytes).map_err(DrawError)?;
        // Bytes beyond the last whole multiple of 62 would favour the first letters.
        let fair = bytes.iter().filter(|byte| **byte < 248).take(prefix.len() + LENGTH - text.len());
        text.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte % 62)])));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::plan::credentials::LENGTH_MIN;

    #[test]
    fn no_two_are_alike_and_all_can_stand_in_urls() {
        let Credentials { superuser, owner, application, replication, valkey, api_key, certificates: _ } = credentials().unwrap();
        let all = [superuser, owner, application.password, replication, valkey, api_key]
            .map(|secret| secret.expose_secret().to_owned());
        for one in &all {
            assert!(one.len() >= LENGTH_MIN);
            assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{one}");
            assert_eq!(all.iter().filter(|other| *other == one).count(), 1);
        }
        assert!(all[5].starts_with(API_KEY_PREFIX));
    }
}
