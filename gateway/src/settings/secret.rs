//! A secret in the environment or in a file. A file is read anew each time, so a rotated one takes effect without a restart.

use std::path::PathBuf;

use ragline_config::env::FILE_SUFFIX;
use secrecy::SecretString;

use super::SettingsError;

/// A file larger than this is no secret.
const MOST_BYTES: u64 = 64 << 10;

/// Where a secret is found.
#[derive(Clone, Debug)]
pub struct Secret {
    name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Value(SecretString),
    File(PathBuf),
}

impl Secret {
    /// The secret of this variable: `NAME`, else the file that `NAME_FILE` names, else `None`.
    pub fn find(name: &str, lookup: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let value = lookup(name).map(|value| Place::Value(SecretString::from(value)));
        let place = value.or_else(|| lookup(&format!("{name}{FILE_SUFFIX}")).map(|path| Place::File(path.into())))?;
        Some(Self { name: name.to_owned(), place })
    }

    /// The secret as it is now, without white space around it.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(&self) -> Result<SecretString, SettingsError> {
        match &self.place {
            Place::Value(value) => Ok(value.clone()),
            Place::File(path) => {
                let read = || -> std::io::Result<String> {
                    if std::fs::metadata(path)?.len() > MOST_BYTES {
                        return Err(std::io::Error::other("the file is too large for a secret"));
                    }
                    std::fs::read_to_string(path)
                };
                let text =
                    read().map_err(|source| SettingsError::ReadSecret { name: self.name.clone(), path: path.clone(), source })?;
                Ok(SecretString::from(text.trim()))
            }
        }
    }
}
