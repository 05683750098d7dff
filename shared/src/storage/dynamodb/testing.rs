//! What only tests need of this storage.

use super::{DynamoDbStorage, Opened, Request, Result, Session, Timestamp};

/// Keeps a session under the id of the one that the request leads to, as if the random numbers repeated.
pub async fn create_with_the_same_id(
    storage: &DynamoDbStorage,
    request: &Request,
    session: &Session,
    now: Timestamp,
) -> Result<()> {
    match storage.ticket(request) {
        Opened::Value(ticket) => storage.table.put(&ticket, session, now, now).await,
        Opened::Absent | Opened::Unreadable => Ok(()),
    }
}
