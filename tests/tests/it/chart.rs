//! The chart beside the code: the same resource, the same grants. Needs no cluster; what Helm makes of it is in `rendered`, behind the
//! feature `programs`, and Helm itself is tried in the end-to-end tests.

#[cfg(feature = "programs")]
mod rendered;

use std::path::{Path, PathBuf};

use ragline_operator::cluster::access::{Access, CLUSTER, OPERATOR_NAMESPACE, PIPELINE_NAMESPACES};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a role grants, one line for each act.
pub(crate) fn grants(rules: &serde_json::Value) -> Vec<String> {
    let words = |rule: &serde_json::Value, field: &str| -> Vec<String> {
        rule[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut lines = Vec::new();
    for rule in rules.as_array().unwrap() {
        assert!(rule.get("resourceNames").is_none());
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                lines.extend(words(rule, "verbs").into_iter().map(|verb| format!("{verb} {resource}.{group}")));
            }
        }
    }
    lines.sort();
    lines
}

/// What the code asks for, in the same form.
pub(crate) fn wanted(table: &[Access]) -> Vec<String> {
    let line = |access: &Access, verb: &str| format!("{verb} {}.{}", access.role_resource(), access.group);
    let mut lines: Vec<_> = table.iter().flat_map(|access| access.verbs.iter().map(|verb| line(access, verb.word()))).collect();
    lines.sort();
    lines
}

/// The rules between the template's first and last line, which hold no expressions.
fn rules_template(name: &str) -> serde_json::Value {
    let text = read("charts/ragline/templates/_rules.tpl");
    let (_, rules) = text.split_once(&format!("{{{{- define \"{name}\" -}}}}")).unwrap();
    let (rules, _) = rules.split_once("{{- end -}}").unwrap();
    serde_saphyr::from_str(rules).unwrap()
}

#[test]
fn the_chart_grants_what_the_operator_uses_and_no_more() {
    assert_eq!(grants(&rules_template("ragline.rules")), wanted(PIPELINE_NAMESPACES));
    assert_eq!(grants(&rules_template("ragline.clusterRules")), wanted(CLUSTER));
}

#[test]
fn the_leader_role_grants_leases_and_no_more() {
    let text = read("charts/ragline/templates/rbac.yaml");
    let leases = wanted(OPERATOR_NAMESPACE);
    assert_eq!(
        leases,
        ["create leases.coordination.k8s.io", "get leases.coordination.k8s.io", "update leases.coordination.k8s.io"]
    );
    assert!(text.contains("resources: [leases]\n    verbs: [get, create, update]"));
    assert_eq!(text.matches("verbs:").count(), 1, "all other rules come from the template of rules");
}

/// The rights that the README tells of, in the form of [`wanted`].
fn told() -> Vec<String> {
    let text = read("charts/ragline/README.md");
    let (_, rights) = text.split_once("## Rights\n").unwrap();
    let (rights, _) = rights.split_once("\n## ").unwrap();
    let rows = rights.lines().filter(|line| line.starts_with("| `"));
    let mut lines = Vec::new();
    for row in rows {
        let [_, resources, verbs, _why, _] = row.split('|').collect::<Vec<_>>()[..] else { panic!("not three cells: {row}") };
        for resource in resources.split(',').map(|resource| resource.trim().trim_matches('`')) {
            // Those of the core have no group, and a subresource stands before it in a role.
            let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
            lines.extend(verbs.split(',').map(|verb| format!("{} {resource}.{group}", verb.trim())));
        }
    }
    lines.sort();
    lines
}

#[test]
fn the_readme_tells_of_every_right() {
    let all: Vec<_> = [PIPELINE_NAMESPACES, CLUSTER, OPERATOR_NAMESPACE].concat();
    assert_eq!(told(), wanted(&all));
}

#[test]
fn the_chart_installs_the_resources_of_the_types() {
    let definitions = [
        ("ragline.dev_ragpipelines.yaml", ragline_crds::definition_yaml()),
        ("ragline.dev_ragpipelineclasses.yaml", ragline_crds::class_definition_yaml()),
    ];
    for (file, wanted) in definitions {
        let copy = repository().join("charts/ragline/files").join(file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::write(&copy, &wanted).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&copy).unwrap_or_default(), wanted, "run UPDATE=1 cargo test -p ragline-tests");
    }
    assert!(read("charts/ragline/templates/crd.yaml").contains("files/ragline.dev_%s.yaml"));
}

#[test]
fn the_chart_has_the_version_of_the_code() {
    let chart = read("charts/ragline/Chart.yaml");
    for field in ["version", "appVersion"] {
        assert!(chart.contains(&format!("\n{field}: {}\n", env!("CARGO_PKG_VERSION"))), "{field}");
    }
}
