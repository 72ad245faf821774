//! Responses in PostgreSQL: a conversation is read back, ends where it was cut, and belongs to its workspace.

use ragline_gateway::traits::responses::{Reach, ResponseStore, Role, Said, StoredResponse};
use serde_json::json;
use uuid::Uuid;

use crate::database::{default_workspace, fresh};

const REACH: Reach = Reach { exchanges: 9, bytes: 9_999 };

fn response(previous: Option<Uuid>, question: &str, open: bool) -> StoredResponse {
    let id = Uuid::now_v7();
    StoredResponse {
        id,
        previous,
        open,
        input: vec![Said { id: Uuid::now_v7(), role: Role::User, text: question.into() }],
        answer: format!("answer to {question}"),
        body: json!({"id": id.to_string(), "score": 0.9, "status": "in_progress"}),
    }
}

#[tokio::test]
async fn a_conversation_is_read_back_as_far_as_it_is_kept() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let first = response(None, "one", false);
    let second = response(Some(first.id), "two", false);
    let third = response(Some(second.id), "three", false);
    for one in [&first, &second, &third] {
        store.keep(workspace, one).await.unwrap();
        assert_eq!(store.response(workspace, one.id).await.unwrap().as_ref(), Some(one));
    }
    let questions = |id, exchanges, bytes| {
        let store = store.clone();
        async move {
            let exchanges = store.conversation(workspace, id, Reach { exchanges, bytes }).await.unwrap();
            exchanges.into_iter().map(|exchange| exchange.input[0].text.clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(questions(third.id, 100, 9_999).await, ["one", "two", "three"]);
    assert_eq!(questions(third.id, 2, 9_999).await, ["two", "three"]);
    assert_eq!(questions(Uuid::now_v7(), 100, 9_999).await, Vec::<String>::new());
    assert_eq!(questions(third.id, 100, 1).await, ["three"]);
    assert!(store.forget(workspace, first.id).await.unwrap());
    assert!(!store.forget(workspace, first.id).await.unwrap());
    assert_eq!(questions(third.id, 100, 9_999).await, ["two", "three"]);
}

#[tokio::test]
async fn a_response_ends_once_and_is_gone_on_from_only_then() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let open = response(None, "one", true);
    store.keep(workspace, &open).await.unwrap();
    assert_eq!(store.conversation(workspace, open.id, REACH).await.unwrap(), []);
    assert!(store.end(workspace, open.id, "done", &json!({"status": "completed"})).await.unwrap());
    assert!(!store.end(workspace, open.id, "again", &json!({"status": "cancelled"})).await.unwrap());
    assert_eq!(store.conversation(workspace, open.id, REACH).await.unwrap()[0].answer, "done");
    assert_eq!(store.response(workspace, open.id).await.unwrap().unwrap().body["status"], "completed");
}

#[tokio::test]
async fn another_workspace_sees_changes_and_goes_on_from_nothing() {
    let database = fresh().await;
    let store = database.store();
    let (ours, theirs) = (default_workspace(&store).await, database.workspace("theirs").await);
    let kept = response(None, "one", true);
    store.keep(ours, &kept).await.unwrap();
    assert_eq!(store.response(theirs, kept.id).await.unwrap(), None);
    assert_eq!(store.conversation(theirs, kept.id, REACH).await.unwrap(), []);
    assert!(!store.end(theirs, kept.id, "x", &json!({})).await.unwrap());
    assert!(!store.forget(theirs, kept.id).await.unwrap());
    let theirs_now = response(Some(kept.id), "two", false);
    store.keep(theirs, &theirs_now).await.unwrap();
    assert_eq!(store.conversation(theirs, theirs_now.id, REACH).await.unwrap().len(), 1);
    assert_eq!(store.response(ours, kept.id).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn what_is_old_or_too_much_is_swept_away() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let (ours, theirs) = (default_workspace(&store).await, database.workspace("theirs").await);
    let (old, young) = (response(None, "old", false), response(None, "young", false));
    store.keep(ours, &old).await.unwrap();
    store.keep(ours, &young).await.unwrap();
    sqlx::query("UPDATE response SET created_at = now() - interval '31 days' WHERE id = $1")
        .bind(old.id)
        .execute(&owner)
        .await
        .unwrap();
    assert_eq!(store.sweep().await.unwrap(), 1);
    assert_eq!(store.response(ours, old.id).await.unwrap(), None);
    assert!(store.response(ours, young.id).await.unwrap().is_some());

    let many = [response(None, "1", false), response(None, "2", false), response(None, "3", false)];
    for one in &many {
        store.keep(theirs, one).await.unwrap();
    }
    let removed: i64 = sqlx::query_scalar("SELECT forget_responses(2)").fetch_one(&store.pool()).await.unwrap();
    assert_eq!(removed, 1);
    assert_eq!(store.response(theirs, many[0].id).await.unwrap(), None);
    assert!(
        store.response(theirs, many[1].id).await.unwrap().is_some() && store.response(ours, young.id).await.unwrap().is_some()
    );
}
