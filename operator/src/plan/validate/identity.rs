//! The identity provider whose tokens are taken, as the spec asks for it.

use ragline_config::{Oidc, Seconds};
use ragline_crds::{RagPipelineSpec, spec};

use super::{Problems, secrets};

pub(super) fn oidc(spec: &RagPipelineSpec, problems: &mut Problems) -> Option<Oidc> {
    let spec::Auth { oidc } = spec.auth.as_ref()?;
    let spec::Oidc {
        issuer,
        audience,
        jwks_url,
        ca_secret_ref,
        workspace_claim,
        scope_claim,
        read_scope,
        write_scope,
        admin_scope,
        leeway_seconds,
    } = oidc.as_ref()?;
    let jwks_url = jwks_url.as_deref().map(str::parse).transpose();
    problems.require(jwks_url.is_ok(), "spec.auth.oidc.jwksUrl", "must be an address, as in https://id.example.com/keys");
    let default = Oidc::new(issuer, audience);
    Some(Oidc {
        jwks_url: jwks_url.ok().flatten(),
        tls_ca_file: ca_secret_ref.as_ref().map(secrets::oidc_ca),
        workspace_claim: workspace_claim.clone().unwrap_or(default.workspace_claim),
        scope_claim: scope_claim.clone().unwrap_or(default.scope_claim),
        read_scope: read_scope.clone().unwrap_or(default.read_scope),
        write_scope: write_scope.clone().unwrap_or(default.write_scope),
        admin_scope: admin_scope.clone(),
        leeway_seconds: leeway_seconds.map_or(default.leeway_seconds, Seconds),
        issuer: default.issuer,
        audience: default.audience,
    })
}
