//! `workspaces create|list|delete`: the workspaces of a pipeline, for its administrator.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    WorkspacesCommand,
    api::Api,
    output::{BAD, GOOD, NAME, Output, PLAIN},
    pages,
};
use crate::http::workspaces::WorkspaceView;

pub(super) async fn run(command: WorkspacesCommand, output: &mut Output) -> anyhow::Result<ExitCode> {
    let (manage, answer) = match command {
        WorkspacesCommand::Create { name, manage } => {
            let api = Api::open(&manage.connection)?;
            (manage, api.send(api.post("v1/workspaces").json(&json!({ "name": name.as_str() }))).await?)
        }
        WorkspacesCommand::List { manage } => {
            let found = pages::all(&Api::open(&manage.connection)?, "v1/workspaces").await?;
            (manage, Value::Array(found))
        }
        WorkspacesCommand::Delete { name, manage } => {
            let api = Api::open(&manage.connection)?;
            (manage, api.send(api.delete(&format!("v1/workspaces/{name}"))).await?)
        }
    };
    if manage.json {
        output.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let views: Vec<WorkspaceView> = serde_json::from_value(if answer.is_array() { answer } else { json!([answer]) })?;
    for view in views {
        let style = if view.status == "active" { GOOD } else { BAD };
        let made = format!("  {}  ", view.created_at.format("%Y-%m-%d"));
        output.pieces(&[(style, format!("{:<8}", view.status)), (PLAIN, made), (NAME, view.name)])?;
    }
    Ok(ExitCode::SUCCESS)
}
