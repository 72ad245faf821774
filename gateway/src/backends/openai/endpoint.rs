//! Where a server that speaks OpenAI's API is asked, and under which names.

use ragline_config::{AzureOpenAi, OpenAiCompatible};
use url::Url;

/// The routes of Azure's resources: with a date they name the deployment, without one they are OpenAI's.
/// <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>
const AZURE_ROUTES: &str = "openai/v1";
const AZURE_DATED_ROUTES: &str = "openai/deployments";

/// One model of one server.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub base: Url,
    /// What stands behind each path, as in `?api-version=2024-10-21`.
    pub(super) query: String,
    /// What the server is told.
    pub(super) asked: String,
    /// What the model is called.
    pub model: String,
    /// Whether the model refuses temperature and top-p; `None`: to be found out.
    pub(super) reasoning: Option<bool>,
}

impl Endpoint {
    /// A model of a server that needs nothing special.
    pub fn new(base: Url, model: &str, reasoning: Option<bool>) -> Self {
        Self { base, query: String::new(), asked: model.to_owned(), model: model.to_owned(), reasoning }
    }

    /// A deployment in Azure.
    ///
    /// # Errors
    /// The routes cannot be put below the endpoint.
    pub fn azure(azure: &AzureOpenAi) -> Result<Self, url::ParseError> {
        let AzureOpenAi { endpoint, deployment, api_version, model, dimensions: _, reasoning } = azure;
        // Azure's portal shows the endpoint with and without the beginning of the routes.
        let root = endpoint.as_str().trim_end_matches('/');
        let root = root.strip_suffix("/v1").unwrap_or(root);
        let root = root.strip_suffix("/openai").unwrap_or(root);
        let (base, query) = match api_version {
            None => (format!("{root}/{AZURE_ROUTES}"), String::new()),
            Some(version) => (format!("{root}/{AZURE_DATED_ROUTES}/{deployment}"), format!("?api-version={version}")),
        };
        Ok(Self {
            base: Url::parse(&base)?,
            query,
            asked: deployment.clone(),
            model: model.as_ref().unwrap_or(deployment).clone(),
            reasoning: *reasoning,
        })
    }

    pub(super) fn path(&self, route: &str) -> String {
        format!("{route}{}", self.query)
    }
}

impl From<&OpenAiCompatible> for Endpoint {
    fn from(server: &OpenAiCompatible) -> Self {
        Self::new(server.base_url.clone(), &server.model, server.reasoning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_is_asked_at_the_new_routes_or_at_the_dated_ones() {
        let azure = |endpoint: &str, api_version: Option<&str>| {
            let endpoint = Endpoint::azure(&AzureOpenAi {
                endpoint: endpoint.parse().unwrap(),
                deployment: "small".into(),
                api_version: api_version.map(str::to_owned),
                model: None,
                dimensions: None,
                reasoning: None,
            })
            .unwrap();
            format!("{}/{}", endpoint.base, endpoint.path("chat/completions"))
        };
        let new = "https://x.openai.azure.com/openai/v1/chat/completions";
        for endpoint in ["https://x.openai.azure.com", "https://x.openai.azure.com/openai/v1/"] {
            assert_eq!(azure(endpoint, None), new);
        }
        let dated = "https://x.openai.azure.com/openai/deployments/small/chat/completions?api-version=2024-10-21";
        assert_eq!(azure("https://x.openai.azure.com/", Some("2024-10-21")), dated);
    }
}
