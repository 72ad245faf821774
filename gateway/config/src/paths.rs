//! Where the operator mounts files and where the gateway looks for them.

/// The folder that holds the configuration file.
pub const CONFIG_DIR: &str = "/etc/ragline/config";
/// The name of the configuration file inside [`CONFIG_DIR`], and the key of the ConfigMap that holds it.
pub const CONFIG_FILE: &str = "ragline.yaml";
/// The folder under which each Secret is mounted in a folder of its own.
pub const SECRETS_DIR: &str = "/etc/ragline/secrets";
/// The built-in model inside the gateway's image.
pub const MODEL_DIR: &str = "/opt/ragline/model";
