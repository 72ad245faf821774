//! Figures: kept one a line while they are measured, and shown as a table beside what the system description says.

use std::{fs, io::Write, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// One measured value.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// The value by the one of the raw part measured in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<Ratio>,
    /// What the system description says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) described: Option<Described>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Ratio {
    pub(crate) to: String,
    pub(crate) ratio: f64,
    /// What it should at least be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Described {
    pub(crate) bound: Bound,
    pub(crate) met: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn new(group: &str, name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { group: group.to_owned(), name: name.into(), value, unit: unit.to_owned(), ratio: None, described: None }
    }

    pub(crate) fn beside(self, to: &str, raw: f64) -> Self {
        Self { ratio: (raw > 0.0).then(|| Ratio { to: to.to_owned(), ratio: self.value / raw, goal: None }), ..self }
    }

    /// What the ratio should at least be.
    pub(crate) fn aims_at(self, goal: Option<f64>) -> Self {
        Self { ratio: self.ratio.map(|ratio| Ratio { goal, ..ratio }), ..self }
    }

    pub(crate) fn described(self, bound: Bound) -> Self {
        let met = match bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        };
        Self { described: Some(Described { bound, met }), ..self }
    }

    pub(crate) fn maybe_described(self, bound: Option<Bound>) -> Self {
        match bound {
            Some(bound) => self.described(bound),
            None => self,
        }
    }

    /// Tells that it was measured, and keeps it for the report.
    pub(crate) fn keep(self, folder: &Path) -> anyhow::Result<()> {
        println!("  measured: {}: {}", self.group, self.name);
        let path = folder.join("work/figures.jsonl");
        let mut file =
            fs::OpenOptions::new().create(true).append(true).open(&path).with_context(|| path.display().to_string())?;
        writeln!(file, "{}", serde_json::to_string(&self)?)?;
        Ok(())
    }
}

fn line(figure: &Figure) -> String {
    let Figure { group: _, name, value, unit, ratio, described } = figure;
    let ratio = ratio.as_ref().map(ratio_text).unwrap_or_default();
    let described = described.as_ref().map(|Described { bound, met }| {
        let (word, bound) = match bound {
            Bound::AtLeast(bound) => ("at least", bound),
            Bound::AtMost(bound) => ("at most", bound),
        };
        format!("{}: {word} {bound} {unit}", if *met { "met" } else { "missed" })
    });
    format!("  {name:<52} {value:>10.1} {unit:<12} {ratio:<42} {}", described.unwrap_or_default()).trim_end().to_owned()
}

fn ratio_text(ratio: &Ratio) -> String {
    let Ratio { to, ratio, goal } = ratio;
    let goal = goal.map(|goal| format!(" ({}: {goal})", if *ratio >= goal { "reached" } else { "short of" }));
    format!("{ratio:.2} of {to}{}", goal.unwrap_or_default())
}

/// Prints all figures by group and writes results.json.
pub(crate) fn report(folder: &Path) -> anyhow::Result<()> {
    let kept = fs::read_to_string(folder.join("work/figures.jsonl")).context("nothing was measured")?;
    let figures: Vec<Figure> = kept.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut groups: Vec<&str> = Vec::new();
    for figure in &figures {
        if !groups.contains(&figure.group.as_str()) {
            groups.push(&figure.group);
        }
    }
    for group in groups {
        println!("\n{group}");
        figures.iter().filter(|figure| figure.group == group).for_each(|figure| println!("{}", line(figure)));
    }
    let described: Vec<&Described> = figures.iter().filter_map(|figure| figure.described.as_ref()).collect();
    let met = described.iter().filter(|described| described.met).count();
    println!("\n{met} of {} described figures are met on this machine", described.len());
    let goals: Vec<bool> =
        figures.iter().filter_map(|figure| figure.ratio.as_ref()).filter_map(|r| r.goal.map(|goal| r.ratio >= goal)).collect();
    println!(
        "{} of {} ratios to the raw parts are where they should be",
        goals.iter().filter(|reached| **reached).count(),
        goals.len()
    );
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let results = serde_json::json!({ "machine": { "cores": cores }, "figures": figures });
    let path = folder.join("results.json");
    fs::write(&path, serde_json::to_string_pretty(&results)? + "\n").with_context(|| path.display().to_string())?;
    println!("written to {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_whether_it_meets_what_is_described() {
        let met = Figure::new("g", "cached search", 1500.0, "requests/s").described(Bound::AtLeast(1000.0));
        assert!(met.described.as_ref().is_some_and(|d| d.met));
        let missed = Figure::new("g", "p50", 7.0, "ms").described(Bound::AtMost(5.0));
        assert!(line(&missed).ends_with("missed: at most 5 ms"), "{}", line(&missed));
    }

    #[test]
    fn a_ratio_is_to_the_raw_part() {
        let figure = Figure::new("g", "n", 50.0, "u").beside("pgbench", 200.0);
        assert_eq!(figure.ratio.as_ref().unwrap().ratio, 0.25);
        assert_eq!(ratio_text(&figure.aims_at(Some(0.85)).ratio.unwrap()), "0.25 of pgbench (short of: 0.85)");
        assert_eq!(Figure::new("g", "n", 50.0, "u").beside("pgbench", 0.0).ratio, None);
    }
}
