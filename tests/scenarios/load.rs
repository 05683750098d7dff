//! Many users at once against several processes of the packaged functions, while Globus and the table fail at random.
//! `cargo dev load` does the same for longer.

use std::time::Duration;

use kit::{Result, load::Load, local::Storage};

/// Every response is right or names what failed, no session is lost, crossed or revived, and no token is left alive that no
/// page or log named.
async fn users_are_served_while_all_around_them_fails(storage: Storage) -> Result<()> {
    let report = Load { storage, seed: 14, requests: 4_000, pause: Duration::from_millis(120) }.run().await?;

    assert_eq!(report.problems, Vec::<String>::new());
    for happened in ["calls with faults", "sign_in success", "renewal success", "logout success"] {
        assert!(report.totals.of(happened) > 10, "{}", report.totals);
    }
    assert!(report.totals.calls() >= 4_000 && report.killed > 3, "{} killed, {}", report.killed, report.totals);
    Ok(())
}

#[tokio::test]
async fn with_sessions_in_cookies_users_are_served_while_all_around_them_fails() -> Result<()> {
    users_are_served_while_all_around_them_fails(Storage::Cookies).await
}

/// With the packages that `cargo dev test` does not build.
mod more_packages {
    use super::*;

    #[tokio::test]
    async fn with_a_table_users_are_served_while_all_around_them_fails() -> Result<()> {
        users_are_served_while_all_around_them_fails(Storage::Table).await
    }
}
