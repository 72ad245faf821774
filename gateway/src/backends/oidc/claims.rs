//! What the claims of a proven token say: workspace, scope and subject.

use ragline_config::Oidc;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::traits::{
    search::KeyPrint,
    tokens::{Token, TokenError},
    workspaces::{FIRST_WORKSPACE, Scope},
};

/// Where to look.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    oidc: Oidc,
}

impl Claims {
    pub(super) fn new(oidc: &Oidc) -> Self {
        Self { oidc: oidc.clone() }
    }

    pub(super) fn read(&self, claims: &Map<String, Value>) -> Result<Token, TokenError> {
        let lacks = |name: &str| TokenError::Claim(name.to_owned());
        let subject = claims.get("sub").and_then(Value::as_str).ok_or_else(|| lacks("sub"))?;
        let name = &self.oidc.workspace_claim;
        let workspace = find(claims, name).and_then(Value::as_str).ok_or_else(|| lacks(name))?.to_owned();
        let name = &self.oidc.scope_claim;
        let words = find(claims, name).and_then(words).ok_or_else(|| lacks(name))?;
        let scope = match self.scope(&words).ok_or(TokenError::Scope)? {
            // As with keys: administrators live in the first workspace.
            Scope::Admin if workspace != FIRST_WORKSPACE => Scope::Write,
            scope => scope,
        };
        let mut hash = Sha256::new();
        for part in ["oidc", &self.oidc.issuer, subject] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Ok(Token { workspace, scope, subject: KeyPrint(hash.finalize().into()) })
    }

    /// The highest that one of the words gives.
    fn scope(&self, words: &[&str]) -> Option<Scope> {
        let Oidc { read_scope, write_scope, admin_scope, .. } = &self.oidc;
        let has = |scope: &String| words.contains(&scope.as_str());
        if admin_scope.as_ref().is_some_and(has) {
            return Some(Scope::Admin);
        }
        has(write_scope).then_some(Scope::Write).or_else(|| has(read_scope).then_some(Scope::Read))
    }
}

/// The claim of this name; where there is none, what the name's parts lead to.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    })
}

/// One text of words, or a list of them.
fn words(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(text.split_whitespace().collect()),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims() -> Claims {
        let admin_scope = Some("ragline:admin".to_owned());
        Claims::new(&Oidc { admin_scope, ..Oidc::new("https://id.example.com", "ragline") })
    }

    fn read(value: Value) -> Result<(String, Scope), String> {
        let token = claims().read(value.as_object().unwrap()).map_err(|error| error.to_string())?;
        Ok((token.workspace, token.scope))
    }

    #[test]
    fn the_highest_scope_counts_and_administrators_live_in_the_first_workspace() {
        let with = |workspace: &str, scope: Value| read(json!({"sub": "s", "workspace": workspace, "scope": scope}));
        let team = |scope| Ok(("team".to_owned(), scope));
        assert_eq!(with("team", json!("openid ragline:read")), team(Scope::Read));
        assert_eq!(with("team", json!("ragline:read  ragline:write")), team(Scope::Write));
        assert_eq!(with("team", json!(["ragline:write"])), team(Scope::Write));
        assert_eq!(with("team", json!("ragline:admin")), team(Scope::Write));
        assert_eq!(with("default", json!("ragline:admin")), Ok(("default".to_owned(), Scope::Admin)));
        for nothing in [json!(""), json!("openid"), json!("ragline:reader"), json!([])] {
            assert!(with("team", nothing.clone()).unwrap_err().contains("none of the scopes"), "{nothing}");
        }
    }

    #[test]
    fn a_claim_that_is_missing_or_of_another_form_is_named() {
        for (value, name) in [
            (json!({"workspace": "team", "scope": "ragline:read"}), "sub"),
            (json!({"sub": "s", "scope": "ragline:read"}), "workspace"),
            (json!({"sub": "s", "workspace": 7, "scope": "ragline:read"}), "workspace"),
            (json!({"sub": "s", "workspace": ["team"], "scope": "ragline:read"}), "workspace"),
            (json!({"sub": "s", "workspace": "team"}), "scope"),
            (json!({"sub": "s", "workspace": "team", "scope": ["ragline:read", 7]}), "scope"),
        ] {
            assert!(read(value.clone()).unwrap_err().contains(&format!("{name:?}")), "{value}");
        }
    }

    #[test]
    fn without_an_administrators_word_no_token_makes_one() {
        let claims = Claims::new(&Oidc::new("https://id.example.com", "ragline"));
        let value = json!({"sub": "s", "workspace": "default", "scope": "ragline:admin admin ragline:write"});
        assert_eq!(claims.read(value.as_object().unwrap()).unwrap().scope, Scope::Write);
    }

    #[test]
    fn a_claim_may_be_inside_of_another_and_a_name_with_dots_comes_first() {
        let oidc = Oidc { scope_claim: "resource_access.ragline.roles".into(), ..Oidc::new("i", "a") };
        let nested = json!({"sub": "s", "workspace": "w", "resource_access": {"ragline": {"roles": ["ragline:read"]}}});
        assert_eq!(Claims::new(&oidc).read(nested.as_object().unwrap()).unwrap().scope, Scope::Read);
        let oidc = Oidc { workspace_claim: "https://example.com/workspace".into(), ..Oidc::new("i", "a") };
        let flat = json!({"sub": "s", "https://example.com/workspace": "w", "scope": "ragline:read"});
        assert_eq!(Claims::new(&oidc).read(flat.as_object().unwrap()).unwrap().workspace, "w");
    }

    #[test]
    fn subjects_of_two_issuers_are_two() {
        let of = |issuer: &str| {
            let value = json!({"sub": "s", "workspace": "w", "scope": "ragline:read"});
            Claims::new(&Oidc::new(issuer, "a")).read(value.as_object().unwrap()).unwrap().subject
        };
        assert_ne!(of("https://one.example.com"), of("https://two.example.com"));
    }
}
