//! What the API server adds to an answer: a field that is about to go, or what a webhook advises against. kubectl shows such warnings
//! to whoever applies; a pipeline's owner applies nothing of this and reads them as Events.

use axum::http::Response;
use kube::{Error, api::DynamicObject, client::Body, core::Status};

/// Warnings of one answer that are passed on.
const MOST: usize = 8;

/// What was said of an object that was taken all the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    pub kind: &'static str,
    pub name: String,
    pub text: String,
}

/// The object of an answer to a write, and the warnings beside it.
pub(super) async fn read(
    answer: impl Future<Output = kube::Result<Response<Body>>>,
) -> kube::Result<(DynamicObject, Vec<String>)> {
    let answer = answer.await?;
    let status = answer.status();
    let values = answer.headers().get_all("warning").iter();
    let warnings = values.filter_map(|value| text(value.to_str().ok()?)).take(MOST).collect();
    let body = answer.into_body().collect_bytes().await?;
    if status.is_success() {
        let object = serde_json::from_slice(&body).map_err(Error::SerdeError)?;
        return Ok((object, warnings));
    }
    let said = serde_json::from_slice(&body).unwrap_or_else(|_| {
        Status::failure(String::from_utf8_lossy(&body).trim(), "the answer is no Status").with_code(status.as_u16())
    });
    Err(Error::Api(Box::new(said)))
}

/// The text of a header such as `299 - "unknown field \"spec.x\""`.
fn text(value: &str) -> Option<String> {
    let (_, quoted) = value.split_once('"')?;
    let (quoted, _) = quoted.rsplit_once('"')?;
    Some(quoted.replace("\\\"", "\"").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    fn answer(status: u16, warnings: &[&'static str], body: &'static str) -> Response<Body> {
        let response = warnings.iter().fold(Response::builder().status(status), |answer, value| answer.header("warning", *value));
        response.body(Body::from(body.as_bytes().to_vec())).unwrap()
    }

    #[tokio::test]
    async fn warnings_come_with_the_object() {
        let warnings = [r#"299 - "unknown field \"spec.x\"""#, r#"299 - "use another""#, "nonsense"];
        let (object, said) = read(ready(Ok(answer(200, &warnings, r#"{"metadata": {"name": "a"}}"#)))).await.unwrap();
        assert_eq!(object.metadata.name.as_deref(), Some("a"));
        assert_eq!(said, [r#"unknown field "spec.x""#, "use another"]);
    }

    #[tokio::test]
    async fn a_refusal_is_the_servers_own_or_its_text() {
        let status = r#"{"kind": "Status", "status": "Failure", "code": 409, "message": "taken", "reason": "Conflict"}"#;
        for (code, body, message) in [(409, status, "taken"), (502, "bad gateway\n", "bad gateway")] {
            let Err(Error::Api(said)) = read(ready(Ok(answer(code, &[], body)))).await else { panic!("{code} is no success") };
            assert_eq!((said.code, said.message.as_str()), (code, message));
        }
    }
}
