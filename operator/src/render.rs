//! The commands that need no cluster: the definition of the resource, and what would be applied for a manifest.

use std::io::{Read, Write};

use anyhow::Context as _;

use crate::{
    cli::{Images, Render},
    plan::{pipeline::Defaults, render},
};

/// A longer manifest is refused.
const MANIFEST_BYTES: u64 = 1 << 20;

/// What the operator was installed with.
pub fn defaults(images: &Images, operator_namespace: &str) -> Defaults {
    let Images { gateway_image, postgres_image, valkey_image } = images.clone();
    Defaults { gateway_image, postgres_image, valkey_image, operator_namespace: operator_namespace.to_owned() }
}

/// Writes the definitions of the resources.
///
/// # Errors
/// The output is closed.
pub fn crd(out: &mut impl Write) -> anyhow::Result<()> {
    out.write_all(ragline_crds::definition_yaml().as_bytes())?;
    out.write_all(b"---\n")?;
    Ok(out.write_all(ragline_crds::class_definition_yaml().as_bytes())?)
}

/// Writes every object that would be applied, as YAML documents, with placeholders for the passwords.
///
/// # Errors
/// The manifest cannot be read, does not parse, or contradicts itself.
pub fn render(settings: &Render, out: &mut impl Write) -> anyhow::Result<()> {
    let path = &settings.filename;
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?)
    };
    let mut text = String::new();
    input.take(MANIFEST_BYTES).read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    let objects = render::render(&text, &settings.namespace, &defaults(&settings.images, &settings.operator_namespace))?;
    Ok(out.write_all(objects.as_bytes())?)
}
