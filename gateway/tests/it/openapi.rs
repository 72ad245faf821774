//! The description of the API is complete: whoever reads nothing else can call every route and knows every answer.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::http_fixture::{api, get};

/// An operation with its method and path.
struct Operation {
    name: String,
    about: Value,
}

async fn description() -> Value {
    api().send(get("/openapi.json")).await.body
}

fn operations(description: &Value) -> Vec<Operation> {
    let paths = description["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let named = |(method, about): (&String, &Value)| Operation { name: format!("{method} {path}"), about: about.clone() };
        item.as_object().unwrap().iter().map(named).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// What `pointer` leads to, through a reference where there is one.
fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(path) => description.pointer(path.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn says(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn has_example(media: &Value) -> bool {
    media.get("example").is_some() || media["examples"].as_object().is_some_and(|examples| !examples.is_empty())
}

fn fields(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let description = description().await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let tags: BTreeSet<_> = description["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for Operation { name, about } in operations(&description) {
        assert!(names.insert(about["operationId"].as_str().unwrap().to_owned()), "{name}: two have its operationId");
        assert!(says(&about["summary"]), "{name} does not say what it does");
        assert!(tags.contains(about["tags"][0].as_str().unwrap()), "{name} has an unknown tag");
    }
}

#[tokio::test]
async fn every_parameter_and_body_is_explained_with_an_example() {
    let description = description().await;
    for Operation { name, about } in operations(&description) {
        for parameter in about["parameters"].as_array().into_iter().flatten() {
            let named = format!("{} of {name}", parameter["name"]);
            assert!(says(&parameter["description"]), "{named} is not described");
            assert!(parameter["required"] != true || parameter.get("example").is_some(), "{named} has no example");
        }
        let Some(body) = about.get("requestBody") else { continue };
        for (kind, media) in fields(&body["content"]) {
            assert!(media.get("schema").is_some(), "{name} does not describe its {kind}");
            assert!(has_example(media) || !kind.ends_with("json"), "{name} has no example of its body");
        }
    }
}

#[tokio::test]
async fn every_answer_is_documented_with_its_headers_and_an_example() {
    let description = description().await;
    for Operation { name, about } in operations(&description) {
        let responses = fields(&about["responses"]);
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name} never succeeds");
        for (status, response) in responses {
            let response = resolved(&description, response);
            assert!(status.parse::<u16>().is_ok(), "{name} answers {status}: name each status");
            assert!(says(&response["description"]), "{name} does not say what {status} means");
            assert!(response["headers"].get("x-request-id").is_some(), "{name} does not tell of x-request-id with {status}");
            for (kind, media) in response["content"].as_object().into_iter().flatten() {
                assert!(has_example(media) || !kind.ends_with("json"), "{name} has no example of {status}");
            }
        }
        let Some(scope) = about["security"][0]["bearer"][0].as_str() else { continue };
        let mut wanted = vec!["401", "429", "500", "503"];
        wanted.extend((scope != "read").then_some("403"));
        if about.get("requestBody").is_some() {
            wanted.extend(["400", "413", "415"]);
        }
        let missing: Vec<_> = wanted.into_iter().filter(|status| !responses.contains_key(*status)).collect();
        assert!(missing.is_empty(), "{name} does not document {missing:?}");
    }
    for status in ["429", "503"] {
        let headers = &description["components"]["responses"][format!("Error{status}")]["headers"];
        assert!(headers.get("retry-after").is_some());
    }
}

#[tokio::test]
async fn every_error_code_has_an_example_under_its_status() {
    let description = description().await;
    for code in ragline_gateway::http::error::ErrorCode::ALL {
        let response = &description["components"]["responses"][format!("Error{}", code.status().as_u16())];
        let example = &response["content"]["application/json"]["examples"][code.word()]["value"]["error"];
        assert_eq!(example["code"], code.word().as_str());
    }
}

/// Names of what is described, in the sources: two of one name would be one in the description, whichever came last.
fn described(folder: &std::path::Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            described(&path, names);
            continue;
        }
        let mut derives = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            derives |= line.trim_start().starts_with("#[derive(") && line.contains("ToSchema");
            let name = line.split_once("struct ").or_else(|| line.split_once("enum ")).map(|(_, name)| name);
            if let (true, Some(name)) = (derives, name.filter(|_| !line.trim_start().starts_with("//"))) {
                names.push(name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned());
                derives = false;
            }
        }
    }
}

#[test]
fn no_two_things_that_are_described_have_one_name() {
    let mut names = Vec::new();
    described(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http")), &mut names);
    assert!(names.len() > 60, "only {} were found", names.len());
    names.sort();
    let doubled: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    assert_eq!(doubled, [] as [String; 0]);
}
