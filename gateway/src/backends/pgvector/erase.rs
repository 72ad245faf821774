//! Removes the rows of workspaces that were deleted: piece by piece, each a transaction, so that whatever breaks off is gone on with
//! by this gateway or another one.

use super::{Store, failed};
use crate::traits::search::StoreError;

/// Rows of one piece: a piece of uploaded bytes weighs 1 MiB, and the statement has a deadline.
const ROWS_AT_ONCE: i32 = 1_000;

impl Store {
    /// Removes one piece; gives how much was removed, 0 when nothing waits or another gateway is at it.
    ///
    /// # Errors
    /// A database that does not answer, or rows that somebody holds for longer than two seconds.
    pub async fn erase_piece(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT erase_workspaces($1)")
            .bind(ROWS_AT_ONCE)
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("erasing a deleted workspace", error))
    }

    /// Removes the rows of every deleted workspace that no other gateway is at. Told to the log; what fails is tried again later.
    pub(super) async fn erase_all(&self) {
        let mut rows = 0;
        loop {
            match self.erase_piece().await {
                Ok(0) => break,
                Ok(removed) => rows += removed,
                Err(error) => {
                    tracing::warn!(error = %error, rows, "a deleted workspace could not be erased yet, trying again later");
                    return;
                }
            }
        }
        if rows > 0 {
            tracing::info!(rows, "erased what deleted workspaces held");
        }
    }
}
