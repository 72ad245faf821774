//! The types that users write, what the operator reports about them, and the vocabulary of conditions. The CRD is generated
//! from these types; their documentation is the manual that `kubectl explain` shows. No I/O and no decisions in here.

#![expect(unreachable_pub, reason = "kube-derive repeats each type inside a function to derive its schema")]

pub mod class;
mod condition;
mod definition;
mod pipeline;
pub mod spec;
pub mod status;

pub use class::{RagPipelineClass, RagPipelineClassSpec};
pub use condition::{ConditionType, Reason};
pub use definition::{CLASS_CRD_FILE, CRD_FILE, class_definition, class_definition_yaml, definition, definition_yaml};
pub use pipeline::{RagPipeline, RagPipelineSpec};
pub use status::RagPipelineStatus;

/// API group of all resources.
pub const GROUP: &str = "ragline.dev";
/// Version that is served and stored.
pub const VERSION: &str = "v1alpha1";
/// Most characters in the name of a pipeline; its children add suffixes, and a Service's name has at most 63.
pub const NAME_LENGTH_MAX: usize = 40;
/// Annotation of a pipeline: another value has the gateways log in to the managed PostgreSQL with another role and a new password.
pub const ROTATE_PASSWORD_ANNOTATION: &str = "ragline.dev/rotate-password";
