//! Kinds that are no part of Kubernetes itself, written out as far as they are used: metadata, and a spec that is put together
//! where the kind is.

/// Declares a namespaced kind with its group, version, name and plural.
macro_rules! foreign_kind {
    ($(#[$doc:meta])* $name:ident: $group:literal / $version:literal, $kind:literal, $plural:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            api_version: &'static str,
            kind: &'static str,
            metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            spec: serde_json::Value,
        }

        impl $name {
            fn new(metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta, spec: serde_json::Value) -> Self {
                let (api_version, kind) = (
                    <Self as k8s_openapi::Resource>::API_VERSION,
                    <Self as k8s_openapi::Resource>::KIND,
                );
                Self { api_version, kind, metadata, spec }
            }
        }

        impl k8s_openapi::Resource for $name {
            const API_VERSION: &'static str = concat!($group, "/", $version);
            const GROUP: &'static str = $group;
            const KIND: &'static str = $kind;
            const VERSION: &'static str = $version;
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = k8s_openapi::NamespaceResourceScope;
        }

        impl k8s_openapi::Metadata for $name {
            type Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

            fn metadata(&self) -> &Self::Ty {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut Self::Ty {
                &mut self.metadata
            }
        }
    };
}

pub(super) use foreign_kind;
