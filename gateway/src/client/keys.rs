//! `keys create|list|revoke`: the keys of workspaces, for the administrator. A new key is printed once, alone on the last line.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{
    KeysCommand,
    api::Api,
    manage::NewKeyArgs,
    output::{BAD, FAINT, NAME, Output, PLAIN, Piece},
    pages,
};
use crate::http::keys::{KeyView, NewKeyView, RevokedKey};

pub(super) async fn run(command: KeysCommand, output: &mut Output) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::Create(new) => create(new, output).await?,
        KeysCommand::List { workspace, manage } => {
            let found = pages::all(&Api::open(&manage.connection)?, &format!("v1/workspaces/{workspace}/keys")).await?;
            if manage.json {
                output.json(&found)?;
            } else {
                for key in found {
                    output.pieces(&line(&serde_json::from_value(key)?))?;
                }
            }
        }
        KeysCommand::Revoke { id, manage } => {
            let api = Api::open(&manage.connection)?;
            let answer: Value = api.send(api.delete(&format!("v1/keys/{id}"))).await?;
            if manage.json {
                output.json(&answer)?;
            } else {
                let RevokedKey { id, object: _, deleted: _ } = serde_json::from_value(answer)?;
                output.line(&format!("revoked {id}"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(new: NewKeyArgs, output: &mut Output) -> anyhow::Result<()> {
    let NewKeyArgs { workspace, name, scope, expires_in_days, manage } = new;
    let mut body = Map::from_iter([("name".to_owned(), Value::String(name)), ("scope".to_owned(), Value::String(scope))]);
    if let Some(days) = expires_in_days {
        body.insert("expires_in_days".into(), days.into());
    }
    let api = Api::open(&manage.connection)?;
    let made: Value = api.send(api.post(&format!("v1/workspaces/{workspace}/keys")).json(&body)).await?;
    if manage.json {
        return output.json(&made);
    }
    let NewKeyView { about, key } = serde_json::from_value(made)?;
    output.line(&format!("made {}; keep the key now, it cannot be shown again:", about.id))?;
    output.line(&key)?;
    Ok(())
}

fn line(view: &KeyView) -> Vec<Piece> {
    let KeyView { id, object: _, name, scope, created_at, expires_at, revoked_at } = view;
    let (style, state) = match (revoked_at, expires_at) {
        (Some(at), _) => (BAD, format!("revoked {}", at.format("%Y-%m-%d"))),
        (None, Some(at)) => (PLAIN, format!("until {}", at.format("%Y-%m-%d"))),
        (None, None) => (FAINT, "unlimited".to_owned()),
    };
    let about = format!("{id}  {:<5}  {}  ", scope.word(), created_at.format("%Y-%m-%d"));
    vec![(PLAIN, about), (style, format!("{state:<18}")), (NAME, format!("  {name}"))]
}
