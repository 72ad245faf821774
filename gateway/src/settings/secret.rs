//! A secret in the environment or in a file. A file that changed is read anew, so a rotated one takes effect without a restart.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use ragline_config::env::FILE_SUFFIX;
use secrecy::SecretString;

use super::SettingsError;

/// A file larger than this is no secret.
const MOST_BYTES: u64 = 64 << 10;
/// A file that was written so shortly ago may be written again without its time of change being another.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Where a secret is found. Clones share what was read.
#[derive(Clone, Debug)]
pub struct Secret {
    name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Value(SecretString),
    File { path: PathBuf, last: Arc<Mutex<Option<Reading>>> },
}

/// What a file said, and how to tell whether it still does.
#[derive(Clone, Debug)]
struct Reading {
    modified: SystemTime,
    identity: (u64, u64),
    secret: SecretString,
}

impl Secret {
    /// The secret of this variable: `NAME`, else the file that `NAME_FILE` names, else `None`.
    pub fn find(name: &str, lookup: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let value = lookup(name).map(|value| Place::Value(SecretString::from(value)));
        let file = || lookup(&format!("{name}{FILE_SUFFIX}")).map(|path| Place::File { path: path.into(), last: Arc::default() });
        Some(Self { name: name.to_owned(), place: value.or_else(file)? })
    }

    /// The secret as it is now, without white space around it.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(&self) -> Result<SecretString, SettingsError> {
        match &self.place {
            Place::Value(value) => Ok(value.clone()),
            Place::File { path, last } => {
                let read = read(path, &mut last.lock().unwrap_or_else(PoisonError::into_inner));
                read.map_err(|source| SettingsError::ReadSecret { name: self.name.clone(), path: path.clone(), source })
            }
        }
    }
}

fn read(path: &Path, last: &mut Option<Reading>) -> io::Result<SecretString> {
    let metadata = std::fs::metadata(path)?;
    if metadata.len() > MOST_BYTES {
        return Err(io::Error::other("the file is too large for a secret"));
    }
    let (modified, identity) = (metadata.modified()?, identity(&metadata));
    if let Some(known) = last.as_ref().filter(|known| (known.modified, known.identity) == (modified, identity)) {
        return Ok(known.secret.clone());
    }
    let secret = SecretString::from(std::fs::read_to_string(path)?.trim());
    let is_settled = modified.elapsed().is_ok_and(|age| age > SETTLED_AFTER);
    *last = is_settled.then(|| Reading { modified, identity, secret: secret.clone() });
    Ok(secret)
}

/// Which file it is and how long: a mounted Secret changes by a link that leads elsewhere.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.ino(), metadata.len())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, write};

    use secrecy::ExposeSecret;

    use super::*;

    fn said(secret: &Secret) -> String {
        secret.read().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_file_that_changed_is_read_anew_and_one_that_did_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let written = |text: &str, age: u64| {
            write(&path, text).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            time
        };
        let secret = Secret::find("KEY", &|name| (name == "KEY_FILE").then(|| path.display().to_string())).unwrap();
        for (text, age) in [("one\n", 60), ("two\n", 30), ("the third", 30), ("six\n", 0), ("ten\n", 0)] {
            written(text, age);
            assert_eq!(said(&secret), text.trim());
        }
        let time = written("old\n", 60);
        assert_eq!(said(&secret), "old");
        // Nothing tells that this was written.
        write(&path, "new\n").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(said(&secret), "old");
        std::fs::remove_file(&path).unwrap();
        assert!(secret.read().is_err(), "a secret that was taken away is none");
    }
}
