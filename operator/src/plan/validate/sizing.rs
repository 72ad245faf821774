//! CPU and memory: what the spec names, and the standard for what it does not.

use ragline_crds::spec::{Quantity, Resources};

use super::Problems;
use crate::plan::{
    pipeline::Sizing,
    quantity::{self, MIB, from_bytes},
};

/// What a part gets where the spec names nothing.
#[derive(Debug)]
pub(super) struct Standard {
    pub(super) cpu_request: &'static str,
    pub(super) memory_request_bytes: u64,
    pub(super) memory_limit_bytes: u64,
}

/// What the parts get by the number of vectors that are expected.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) postgres: Standard,
    /// Of PostgreSQL's volume.
    pub(super) storage: &'static str,
    /// Of Valkey's entries.
    pub(super) cache_memory: &'static str,
}

impl Preset {
    /// The smallest one where nothing is expected. The rule against shrinking volumes names its size too.
    pub(super) fn of(expected_vectors: Option<u64>) -> Self {
        let postgres = |cpu_request, gigabytes: u64| {
            let bytes = gigabytes * 1_024 * MIB;
            Standard { cpu_request, memory_request_bytes: bytes, memory_limit_bytes: bytes }
        };
        let (postgres, storage, cache_memory) = match expected_vectors.unwrap_or_default() {
            0..100_000 => (postgres("250m", 1), "10Gi", "256Mi"),
            100_000..1_000_000 => (postgres("1", 4), "50Gi", "1Gi"),
            1_000_000..10_000_000 => (postgres("4", 16), "500Gi", "4Gi"),
            10_000_000.. => (postgres("8", 32), "500Gi", "8Gi"),
        };
        Self { postgres, storage, cache_memory }
    }
}

/// Fills the gaps. A limit that is not named is never below the request, and a request that is not named never above the limit.
pub(super) fn sizing(field: &str, resources: Option<Resources>, standard: &Standard, problems: &mut Problems) -> Sizing {
    let Resources { requests, limits } = resources.unwrap_or_default();
    let (requests, limits) = (requests.unwrap_or_default(), limits.unwrap_or_default());
    let mut memory = |quantity: &Option<Quantity>, path: &str| {
        let bytes = quantity.as_ref().map(quantity::bytes);
        // Thousandths of a byte are a typing error for Mi.
        let is_milli = quantity.as_ref().is_some_and(|quantity| quantity.0.ends_with('m'));
        problems.require(
            !is_milli && !matches!(bytes, Some(None | Some(0))),
            &format!("{field}.{path}.memory"),
            "must be an amount of memory, as in 2Gi",
        );
        bytes.flatten()
    };
    let request = memory(&requests.memory, "requests");
    let limit = memory(&limits.memory, "limits");
    let limit_bytes = limit.unwrap_or_else(|| standard.memory_limit_bytes.max(request.unwrap_or(0)));
    let request_bytes = request.unwrap_or_else(|| standard.memory_request_bytes.min(limit_bytes));
    problems.require(
        request_bytes <= limit_bytes,
        &format!("{field}.requests.memory"),
        &format!("must be at most {field}.limits.memory"),
    );
    let mut cpu = |quantity: &Option<Quantity>, path: &str| {
        let amount = quantity.as_ref().map(quantity::thousandths);
        let field = format!("{field}.{path}.cpu");
        problems.require(!matches!(amount, Some(None | Some(0))), &field, "must be an amount of CPUs, as in 500m");
        amount.flatten()
    };
    let cpu_limit = cpu(&limits.cpu, "limits");
    let cpu_request = cpu(&requests.cpu, "requests");
    let standard_request = Quantity(standard.cpu_request.to_owned());
    // A limit below the standard request lowers the request with it.
    let fitting = match (cpu_limit, quantity::thousandths(&standard_request)) {
        (Some(limit), Some(request)) if limit < request => limits.cpu.clone().unwrap_or(standard_request),
        _ => standard_request,
    };
    problems.require(
        !matches!((cpu_request, cpu_limit), (Some(request), Some(limit)) if request > limit),
        &format!("{field}.requests.cpu"),
        &format!("must be at most {field}.limits.cpu"),
    );
    Sizing {
        cpu_request: requests.cpu.unwrap_or(fitting),
        cpu_limit: limits.cpu,
        // The limit as it is named may be less than the whole bytes that it was counted as.
        memory_request: requests
            .memory
            .or_else(|| limits.memory.clone().filter(|_| request_bytes == limit_bytes))
            .unwrap_or_else(|| from_bytes(request_bytes)),
        memory_limit: limits.memory.unwrap_or_else(|| from_bytes(limit_bytes)),
        memory_bytes: limit_bytes,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SMALL: Standard = Standard { cpu_request: "100m", memory_request_bytes: 384 * MIB, memory_limit_bytes: 1_024 * MIB };

    /// Request and limit of memory for these limits, and how many problems they have.
    fn memory(limit: &str) -> (String, String, usize) {
        let resources = serde_json::from_value(json!({"limits": {"memory": limit}})).unwrap();
        let mut problems = Problems::default();
        let Sizing { memory_request, memory_limit, .. } = sizing("r", Some(resources), &SMALL, &mut problems);
        (memory_request.0, memory_limit.0, problems.0.len())
    }

    #[test]
    fn a_request_that_is_not_named_is_never_above_the_limit() {
        let told = |request: &str, limit: &str| (request.to_owned(), limit.to_owned(), 0);
        assert_eq!(memory("2Gi"), told("384Mi", "2Gi"));
        assert_eq!(memory("256Mi"), told("256Mi", "256Mi"));
        assert_eq!(memory("0.3Gi"), told("0.3Gi", "0.3Gi"), "which is no whole number of bytes");
    }

    #[test]
    fn thousandths_of_a_byte_are_no_memory() {
        assert_eq!(memory("250m").2, 1);
    }
}
