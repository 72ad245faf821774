//! Passages that a search found, shared by all who are given them.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::traits::search::Match;

/// Passages, best first. Clones are cheap: they share the passages, and the form in which those are sent.
#[derive(Clone, Debug, Default)]
pub struct Matches(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    list: Vec<Match>,
    sent: OnceLock<Box<RawValue>>,
}

impl Matches {
    /// Those that pass.
    #[must_use]
    pub fn filtered(self, passes: impl Fn(&Match) -> bool) -> Self {
        if self.iter().all(&passes) {
            self
        } else {
            self.iter().filter(|found| passes(found)).cloned().collect::<Vec<_>>().into()
        }
    }

    /// The passages themselves, copied where others have them too.
    pub fn into_vec(self) -> Vec<Match> {
        Arc::try_unwrap(self.0).map_or_else(|shared| shared.list.clone(), |shared| shared.list)
    }

    /// The passages as they are sent, in JSON. The first caller's `view` is what all get.
    ///
    /// # Errors
    /// A view that is no JSON.
    pub fn sent<View: Serialize>(&self, view: impl FnOnce(&[Match]) -> View) -> serde_json::Result<&RawValue> {
        if let Some(sent) = self.0.sent.get() {
            return Ok(sent);
        }
        let made = to_raw_value(&view(self))?;
        Ok(self.0.sent.get_or_init(|| made))
    }
}

impl From<Vec<Match>> for Matches {
    fn from(list: Vec<Match>) -> Self {
        Self(Arc::new(Shared { list, sent: OnceLock::new() }))
    }
}

impl Deref for Matches {
    type Target = [Match];

    fn deref(&self) -> &[Match] {
        &self.0.list
    }
}

impl Serialize for Matches {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Matches {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::fixtures::found;

    #[test]
    fn clones_share_what_is_sent() {
        let matches = Matches::from(vec![found("one"), found("two")]);
        let texts = |list: &[Match]| list.iter().map(|one| one.text.clone()).collect::<Vec<_>>();
        assert_eq!(matches.clone().sent(texts).unwrap().get(), r#"["one","two"]"#);
        assert_eq!(matches.sent(|_| "made again").unwrap().get(), r#"["one","two"]"#);
        let fewer = matches.clone().filtered(|one| one.text == "two");
        assert_eq!(fewer.sent(texts).unwrap().get(), r#"["two"]"#);
        let all = matches.filtered(|_| true);
        assert_eq!(all.sent(|_| "made again").unwrap().get(), r#"["one","two"]"#);
    }
}
