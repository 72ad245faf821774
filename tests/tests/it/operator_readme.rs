//! The tables in the operator's README are those of the vocabulary. `UPDATE=1` writes them again.

use std::path::Path;

use ragline_crds::{ConditionType, Reason};

fn conditions() -> String {
    let row = |type_: ConditionType| {
        let wanted = if type_.normally_true() { "True" } else { "False" };
        format!("| `{type_}` | {wanted} | {} |\n", type_.meaning())
    };
    let rows: String = ConditionType::ALL.into_iter().map(row).collect();
    format!("| condition | normally | meaning |\n|---|---|---|\n{rows}")
}

fn reasons() -> String {
    let row = |reason: &Reason| {
        let with: Vec<_> = reason.conditions().iter().map(ToString::to_string).collect();
        format!("| `{reason}` | {} | {} |\n", with.join(", "), reason.meaning())
    };
    let rows: String = Reason::ALL.iter().map(row).collect();
    format!("| reason | of | meaning |\n|---|---|---|\n{rows}")
}

fn replaced(text: &str, mark: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{table}{end}{after}")
}

#[test]
fn the_readme_lists_every_condition_and_every_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("operator/README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let wanted = replaced(&replaced(&text, "conditions", &conditions()), "reasons", &reasons());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted, "run UPDATE=1 cargo test -p ragline-tests");
}
