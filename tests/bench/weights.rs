//! What the programs weigh: resident memory of the processes, sizes of the images.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{figure::Figure, surroundings::Surroundings};

const GROUP: &str = "Weights";
const MIB: f64 = (1 << 20) as f64;

pub(crate) fn measure(around: &Surroundings) -> anyhow::Result<()> {
    let of = |pid| resident_mib(pid).with_context(|| format!("the memory of process {pid} cannot be read"));
    let folder = &around.folder;
    Figure::new(GROUP, "gateway with the built-in model, after the load", of(around.gateway_pid)?, "MiB").keep(folder)?;
    Figure::new(GROUP, "gateway without it, at rest", of(around.remote_pid)?, "MiB").keep(folder)?;
    // The operator needs a cluster: it is measured where one runs on this machine.
    if let Some(operator) = running("ragline-operator").and_then(resident_mib) {
        Figure::new(GROUP, "operator, on the cluster of this machine", operator, "MiB").keep(folder)?;
    }
    for name in ["operator", "gateway", "postgres", "valkey"] {
        if let Ok(archive) = fs::metadata(around.images.join(format!("{name}.tar"))) {
            Figure::new(GROUP, format!("image {name}"), archive.len() as f64 / MIB, "MiB").keep(folder)?;
        }
    }
    Ok(())
}

/// Resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: u32) -> anyhow::Result<f64> {
    resident_mib(pid).map(|mib| mib * 1_024.0).with_context(|| format!("the memory of process {pid} cannot be read"))
}

fn resident_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib: f64 = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok())?;
    Some(kib / 1024.0)
}

/// A process whose program has this name.
fn running(name: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let program = arguments.split(|byte| *byte == 0).next()?;
        (Path::new(std::str::from_utf8(program).ok()?).file_name()? == name).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_weight() {
        assert!(resident_mib(std::process::id()).is_some_and(|mib| mib > 0.1));
        assert_eq!(running("no-such-program"), None);
    }
}
