//! `ragline_operator_pipeline_condition`: a line for each condition of each pipeline. Kept in a few bytes and written when somebody asks,
//! since a gauge of the library's weighs more than a kilobyte, and each pipeline would have eleven.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use ragline_crds::{ConditionType, Reason};

const NAME: &str = "ragline_operator_pipeline_condition";
const LABELS: [&str; 4] = ["condition", "pipeline", "pipeline_namespace", "reason"];

/// How the pipelines are. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct PipelineConditions(Arc<Mutex<BTreeMap<Place, Box<[Told]>>>>);

/// Namespace and name of a pipeline.
type Place = (String, String);

#[derive(Clone, Copy, Debug)]
struct Told {
    condition: ConditionType,
    reason: Reason,
    is_true: bool,
}

impl Told {
    /// `None`: written by another version, in words that this one has not.
    fn of(condition: &Condition) -> Option<Self> {
        let type_ = ConditionType::ALL.into_iter().find(|known| known.as_str() == condition.type_)?;
        let reason = Reason::ALL.iter().copied().find(|known| known.as_str() == condition.reason)?;
        Some(Self { condition: type_, reason, is_true: condition.status == "True" })
    }
}

impl PipelineConditions {
    /// Tells how a pipeline is; without conditions it is forgotten.
    pub fn tell(&self, namespace: &str, name: &str, conditions: &[Condition]) {
        let told: Box<[_]> = conditions.iter().filter_map(Told::of).collect();
        let place = (namespace.to_owned(), name.to_owned());
        if told.is_empty() {
            self.lock().remove(&place);
        } else {
            self.lock().insert(place, told);
        }
    }

    /// Appends them in Prometheus' text format. No label needs escaping: names in Kubernetes have no quotes.
    pub(super) fn write(&self, text: &mut String) {
        let pipelines = self.lock();
        if pipelines.is_empty() {
            return;
        }
        text.push_str(&format!("# HELP {NAME} 1 where the condition of a pipeline is True.\n# TYPE {NAME} gauge\n"));
        for ((namespace, name), conditions) in pipelines.iter() {
            for Told { condition, reason, is_true } in conditions {
                text.push_str(NAME);
                let values = [condition.as_str(), name, namespace, reason.as_str()];
                for (before, (label, value)) in ['{', ',', ',', ','].into_iter().zip(LABELS.into_iter().zip(values)) {
                    write!(text, "{before}{label}=\"{value}\"").expect("a string takes everything");
                }
                text.push_str(if *is_true { "} 1\n" } else { "} 0\n" });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Box<[Told]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) fn condition(type_: &str, status: &str, reason: &str) -> Condition {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(told: &PipelineConditions) -> String {
        let mut text = String::new();
        told.write(&mut text);
        text
    }

    #[test]
    fn a_condition_is_told_with_its_newest_reason_until_the_pipeline_is_gone() {
        let told = PipelineConditions::default();
        let still = condition("Stalled", "False", "NothingStalled");
        told.tell("team", "docs", &[condition("Ready", "False", "Provisioning"), still.clone()]);
        told.tell("team", "docs", &[condition("Ready", "True", "AllComponentsReady"), still, condition("Odd", "True", "Odd")]);
        let expected = "# HELP ragline_operator_pipeline_condition 1 where the condition of a pipeline is True.\n\
            # TYPE ragline_operator_pipeline_condition gauge\n\
            ragline_operator_pipeline_condition{condition=\"Ready\",pipeline=\"docs\",pipeline_namespace=\"team\",reason=\"AllComponentsReady\"} 1\n\
            ragline_operator_pipeline_condition{condition=\"Stalled\",pipeline=\"docs\",pipeline_namespace=\"team\",reason=\"NothingStalled\"} 0\n";
        assert_eq!(text(&told), expected);
        told.tell("team", "docs", &[]);
        assert_eq!(text(&told), "");
    }
}
