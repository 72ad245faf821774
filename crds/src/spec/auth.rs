//! Who may call the pipeline besides the holders of its API keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;

/// Who may call the pipeline besides the holders of its API keys.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// An identity provider whose signed tokens are taken as bearer tokens. Left out, API keys alone are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
}

/// An identity provider that speaks OpenID Connect. A token must be signed with RS, PS, ES or EdDSA by a key that the provider publishes,
/// and have `exp`, `iss`, `aud` and `sub`. It names a workspace, which must exist, and what the caller may do there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Oidc {
    /// The provider's name as it stands in the claim `iss` of its tokens, to the letter, as in `https://id.example.com/realms/staff`.
    /// Begins with `https://`. NetworkPolicies let the gateways out to its port and to 443, or, with `jwksUrl`, to that one's port.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https://[^\s/]+(/\S*)?$"))]
    pub issuer: String,
    /// What the claim `aud` must be or hold, as in `ragline`. Tokens that the provider made for others are refused.
    #[schemars(length(min = 1, max = 256))]
    pub audience: String,
    /// Where the provider publishes its keys. Default: where `{issuer}/.well-known/openid-configuration` says, which must be at the
    /// issuer's port or at 443.
    #[schemars(length(min = 1, max = 2_048), regex(pattern = r"^https://[^\s/]+(/\S*)?$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// Certificates of the authorities that may have signed the provider's certificate, as PEM, besides those of the public. Default:
    /// none. A change takes effect when the gateways are restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// The claim that names the workspace, a text. One inside of another is named with dots, as in `ragline.workspace`. A token for a
    /// workspace that does not exist is refused; none is made for it. Default: `workspace`.
    #[schemars(length(min = 1, max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_claim: Option<String>,
    /// The claim that tells what the caller may do: words in one text, or a list of them; with dots as above, as in
    /// `resource_access.ragline.roles`. Default: `scope`.
    #[schemars(length(min = 1, max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_claim: Option<String>,
    /// The word that allows to search, ask, and look at documents and jobs. Default: `ragline:read`.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_scope: Option<String>,
    /// The word that allows to take documents in and delete them as well. Default: `ragline:write`.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_scope: Option<String>,
    /// The word that makes the holder of a token for workspace `default` an administrator of the whole pipeline; in another workspace it
    /// allows to write. Default: none, so that no token makes an administrator.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^\S+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_scope: Option<String>,
    /// Seconds by which the clocks of provider and gateways may differ, 0 to 300. Default: `30`.
    #[schemars(range(min = 0, max = 300))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leeway_seconds: Option<u64>,
}
