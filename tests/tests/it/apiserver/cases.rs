//! What the rules of the resource take and what they refuse. Each rule is tested both ways.

use serde_json::{Value, json};

/// What the API server says to a change.
pub(super) enum Verdict {
    Taken,
    /// The refusal holds these words.
    Refused(&'static str),
}

use Verdict::{Refused, Taken};

/// From nothing (`None`) or a spec to another one.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) old: Option<Value>,
    pub(super) new: Value,
    pub(super) verdict: Verdict,
}

fn new(name: &'static str, new: Value, verdict: Verdict) -> Case {
    Case { name, old: None, new, verdict }
}

fn change(name: &'static str, old: Value, new: Value, verdict: Verdict) -> Case {
    Case { name, old: Some(old), new, verdict }
}

fn open_ai(model: &str, dimensions: u32) -> Value {
    json!({"embedding": {"openAiCompatible": {"baseUrl": "https://a.example/v1", "model": model, "dimensions": dimensions}}})
}

fn storage(storage: Value) -> Value {
    json!({"postgres": {"managed": {"storage": storage}}})
}

fn tls(tls: Value) -> Value {
    json!({"postgres": {"managed": {"tls": tls}}, "cache": {"managed": {"tls": tls}}, "gateway": {"tls": tls}})
}

fn resources(limits: Value) -> Value {
    json!({"gateway": {"resources": {"limits": limits}}})
}

fn parameters(parameters: Value) -> Value {
    json!({"postgres": {"managed": {"parameters": parameters}}})
}

fn allowed(peer: Value) -> Value {
    json!({"networkPolicy": {"allowFrom": [peer]}})
}

pub(super) fn cases() -> Vec<Case> {
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("a{n}"), json!("1"))).collect();
    vec![
        new("an empty spec is a pipeline", json!({}), Taken),
        new("one embedding model", json!({"embedding": {"builtin": {}, "batchSize": 5}}), Taken),
        new("no embedding model named", json!({"embedding": {"batchSize": 5}}), Taken),
        new(
            "two embedding models",
            json!({"embedding": {"builtin": {}, "openAiCompatible": {"baseUrl": "http://a/v1", "model": "m", "dimensions": 3}}}),
            Refused("name only one provider"),
        ),
        new("one generator", json!({"generation": {"openAiCompatible": {"baseUrl": "http://a:8000/v1", "model": "m"}}}), Taken),
        new(
            "two generators",
            json!({"generation": {"builtin": {}, "openAiCompatible": {"baseUrl": "http://a/v1", "model": "m"}}}),
            Refused("name only one provider"),
        ),
        new("a prompt with both places", json!({"generation": {"promptTemplate": "{context} {question}"}}), Taken),
        new(
            "a prompt without the question",
            json!({"generation": {"promptTemplate": "{context}"}}),
            Refused("must contain {context} and {question}"),
        ),
        new("a managed cache", json!({"cache": {"managed": {}}}), Taken),
        new("no cache", json!({"cache": {"disabled": {}}}), Taken),
        new(
            "a cache and none",
            json!({"cache": {"managed": {}, "disabled": {}}}),
            Refused("name only one of managed, external and disabled"),
        ),
        new("a cache of somebody else's", json!({"cache": {"external": {"host": "redis.example.com", "tls": true}}}), Taken),
        new(
            "a cache whose master Sentinels know",
            json!({"cache": {"external": {"sentinel": {"addresses": ["a:26379", "[2001:db8::1]:26379"], "masterName": "main"}}}}),
            Taken,
        ),
        new("a cluster", json!({"cache": {"external": {"cluster": {"addresses": ["a.b.svc:6379"]}, "database": 0}}}), Taken),
        new(
            "a cache that is nowhere",
            json!({"cache": {"external": {"tls": true}}}),
            Refused("name one of host, sentinel and cluster"),
        ),
        new(
            "a cache that is one server and a cluster",
            json!({"cache": {"external": {"host": "a", "cluster": {"addresses": ["a:6379"]}}}}),
            Refused("name one of host, sentinel and cluster"),
        ),
        new(
            "a second database of a cluster",
            json!({"cache": {"external": {"cluster": {"addresses": ["a:6379"]}, "database": 1}}}),
            Refused("a cluster has database 0 only"),
        ),
        new(
            "a cluster without a node",
            json!({"cache": {"external": {"cluster": {"addresses": []}}}}),
            Refused("should have at least 1 items"),
        ),
        new("a node without a port", json!({"cache": {"external": {"cluster": {"addresses": ["a"]}}}}), Refused("should match")),
        new("a database of somebody else's", json!({"postgres": {"external": {"secretName": "a"}}}), Taken),
        new(
            "a database of one's own and of somebody else's",
            json!({"postgres": {"managed": {}, "external": {"secretName": "a"}}}),
            Refused("name only one of managed, cloudNativePg and external"),
        ),
        new("as many read replicas as there may be", json!({"postgres": {"managed": {"replicas": 3}}}), Taken),
        new("no read replica", json!({"postgres": {"managed": {"replicas": 0}}}), Taken),
        new("too many read replicas", json!({"postgres": {"managed": {"replicas": 4}}}), Refused("less than or equal to 3")),
        change(
            "read replicas come and go",
            json!({"postgres": {"managed": {"replicas": 2}}}),
            json!({"postgres": {"managed": {}}}),
            Taken,
        ),
        new(
            "TLS with certificates of an issuer",
            tls(json!({"enabled": true, "issuerRef": {"name": "a", "kind": "ClusterIssuer", "group": "cert-manager.io"}})),
            Taken,
        ),
        new("TLS with certificates of an authority of its own", tls(json!({"enabled": true})), Taken),
        new("an issuer without a name", tls(json!({"issuerRef": {"kind": "Issuer"}})), Refused("issuerRef.name: Required value")),
        new("an issuer of no kind", tls(json!({"issuerRef": {"name": "a", "kind": "issuer"}})), Refused("should match")),
        change("TLS comes and goes", tls(json!({"enabled": true})), tls(json!({"enabled": false})), Taken),
        new("a database of CloudNativePG", json!({"postgres": {"cloudNativePg": {"instances": 9}}}), Taken),
        new("load decides", json!({"gateway": {"autoscaling": {"maxReplicas": 2}}}), Taken),
        new(
            "load decides and a number too",
            json!({"gateway": {"replicas": 2, "autoscaling": {}}}),
            Refused("name only one of replicas and autoscaling"),
        ),
        new(
            "more at least than at most",
            json!({"gateway": {"autoscaling": {"minReplicas": 11}}}),
            Refused("must be at most maxReplicas"),
        ),
        new("a caller by its labels", allowed(json!({"podSelector": {"matchLabels": {"app": "a"}}})), Taken),
        new("any caller", allowed(json!({"namespaceSelector": {}})), Taken),
        new("a caller that is not named", allowed(json!({})), Refused("name namespaceSelector, podSelector or both")),
        new(
            "a route without a name",
            json!({"gateway": {"route": {"parentRef": {"name": "a"}, "hostnames": []}}}),
            Refused("should have at least 1 items"),
        ),
        new("rising borders", json!({"index": {"exactBelow": 10, "smallBelow": 20, "mediumBelow": 30}}), Taken),
        new("a border beyond the default of the next", json!({"index": {"exactBelow": 100_001}}), Refused("must not decrease")),
        new(
            "falling borders",
            json!({"index": {"smallBelow": 20, "mediumBelow": 10, "exactBelow": 1}}),
            Refused("must not decrease"),
        ),
        new("an index of one's own", json!({"index": {"mode": "Manual", "ivfFlat": {"lists": 10}}}), Taken),
        new("no index named", json!({"index": {"mode": "Manual"}}), Refused("mode Manual takes ivfFlat or hnsw")),
        new("an index that is not asked for", json!({"index": {"hnsw": {}}}), Refused("mode Manual takes ivfFlat or hnsw")),
        new(
            "a graph that pgvector refuses",
            json!({"index": {"mode": "Manual", "hnsw": {"m": 40}}}),
            Refused("must be at least twice m"),
        ),
        new("known kinds of settings", parameters(json!({"work_mem": "8MB", "pg_stat_statements.max": "100"})), Taken),
        new("a setting with a capital", parameters(json!({"Work_Mem": "8MB"})), Refused("a setting's name holds")),
        new("a setting that breaks the line", parameters(json!({"a\nb": "1"})), Refused("a setting's name holds")),
        new("too many settings", parameters(Value::Object(many)), Refused("must have at most 64 items")),
        new("a null", json!({"chunking": {"maxTokens": null}}), Refused("must be of type integer")),
        new("too small a chunk", json!({"chunking": {"maxTokens": 63}}), Refused("greater than or equal to 64")),
        new("an unknown choice", json!({"index": {"mode": "Sometimes"}}), Refused("Unsupported value: \"Sometimes\"")),
        new(
            "an unknown field",
            json!({"chunking": {"maxToken": 100}}),
            Refused("spec.chunking.maxToken: field not declared in schema"),
        ),
        new("amounts that are numbers", resources(json!({"cpu": 2, "memory": 2_147_483_648_u64})), Taken),
        new("amounts that are text", resources(json!({"cpu": "500m", "memory": "2Gi"})), Taken),
        new("a part of a CPU as a number", resources(json!({"cpu": 0.5})), Refused("must be of type integer,string")),
        new("less than nothing as a number", resources(json!({"cpu": -1})), Refused("greater than or equal to 0")),
        new("less than nothing as text", resources(json!({"cpu": "-1"})), Refused("should match")),
        new("an amount of 33 characters", resources(json!({"cpu": "1".repeat(33)})), Refused("may not be more than 32")),
        new("an amount that is a truth", resources(json!({"cpu": true})), Refused("must be of type integer,string")),
        new("a size that is no amount", storage(json!({"size": "big"})), Refused("should match")),
        new("an address without a scheme", open_ai_at("a.example"), Refused("should match")),
        new("an address with a port", open_ai_at("http://a.example:8080/v1"), Taken),
        new("too many gateways", json!({"gateway": {"replicas": 51}}), Refused("less than or equal to 50")),
        change("the same model", open_ai("m", 3), open_ai("m", 3), Taken),
        change("another model", open_ai("m", 3), open_ai("n", 3), Refused("stored vectors of two models cannot be compared")),
        change("other dimensions", open_ai("m", 3), open_ai("m", 4), Refused("stored vectors have the old length")),
        change("from the built-in model", json!({}), open_ai("m", 3), Refused("the embedding model cannot change")),
        change("to the built-in model", open_ai("m", 3), json!({}), Refused("the embedding model cannot change")),
        change("naming the built-in model", json!({}), json!({"embedding": {"builtin": {}}}), Taken),
        change("another batch", json!({"embedding": {"batchSize": 5}}), json!({"embedding": {"batchSize": 6}}), Taken),
        change(
            "from a managed database to somebody else's",
            json!({}),
            json!({"postgres": {"external": {"secretName": "a"}}}),
            Refused("postgres cannot change between managed, cloudNativePg and external"),
        ),
        change(
            "from CloudNativePG to a managed database",
            json!({"postgres": {"cloudNativePg": {}}}),
            json!({"postgres": {"managed": {}}}),
            Refused("the data would stay behind"),
        ),
        change(
            "another Secret of the same database",
            json!({"postgres": {"external": {"secretName": "a"}}}),
            json!({"postgres": {"external": {"secretName": "b"}}}),
            Taken,
        ),
        change("a growing volume", storage(json!({"size": "1Gi"})), storage(json!({"size": "1.5Gi"})), Taken),
        change("the same size in other words", storage(json!({"size": "1Gi"})), storage(json!({"size": "1024Mi"})), Taken),
        change("the same size as a number", storage(json!({"size": "1Gi"})), storage(json!({"size": 1_073_741_824})), Taken),
        change("a growing volume as a number", storage(json!({"size": 1_073_741_824})), storage(json!({"size": "2Gi"})), Taken),
        change(
            "a shrinking volume as a number",
            storage(json!({"size": "1Gi"})),
            storage(json!({"size": 1_073_741_823})),
            Refused("cannot shrink"),
        ),
        change(
            "a shrinking volume",
            storage(json!({"size": "20Gi"})),
            storage(json!({"size": "19Gi"})),
            Refused("cannot shrink"),
        ),
        change("less than the default", json!({}), storage(json!({"size": "9Gi"})), Refused("cannot shrink")),
        change("more than the default", json!({}), storage(json!({"size": "11Gi"})), Taken),
        change("back to a smaller default", storage(json!({"size": "11Gi"})), json!({}), Refused("cannot shrink")),
        change("back to a larger default", storage(json!({"size": "9Gi"})), json!({}), Taken),
        change(
            "another storage class",
            storage(json!({"storageClassName": "a"})),
            storage(json!({"storageClassName": "b"})),
            Refused("storageClassName cannot change"),
        ),
        change(
            "a storage class later",
            json!({}),
            storage(json!({"storageClassName": "b"})),
            Refused("storageClassName cannot change"),
        ),
        change(
            "the same storage class",
            storage(json!({"storageClassName": "a"})),
            storage(json!({"storageClassName": "a", "size": "11Gi"})),
            Taken,
        ),
    ]
}

fn open_ai_at(base_url: &str) -> Value {
    json!({"embedding": {"openAiCompatible": {"baseUrl": base_url, "model": "m", "dimensions": 3}}})
}
