//! A way into the cluster: `kubectl port-forward` on a free port, and requests through it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::programs::program;

/// One forwarded port; ends with its value.
#[derive(Debug)]
pub(crate) struct Forward {
    child: Child,
    /// Of the port on this side, as in `127.0.0.1:40000`.
    pub(crate) address: String,
}

impl Forward {
    /// To the port `port` of `target`, as in `service/a-gateway`.
    pub(crate) fn to(namespace: &str, target: &str, port: u16) -> Self {
        let mut command = program("kubectl");
        command.args(["-n", namespace, "port-forward", target, &format!(":{port}")]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let line = receiver.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no way to {namespace}/{target}"));
        let address = line.trim_start_matches("Forwarding from ").split(' ').next().unwrap().to_owned();
        // Keeps the pipe open and empty for as long as kubectl lives.
        std::thread::spawn(move || while receiver.recv().is_ok() {});
        Self { child, address }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
