//! One of many requests renews a session, and holds a lease meanwhile.

use super::*;

#[tokio::test]
async fn a_lease_longer_than_any_can_be_blocks_no_renewal() -> Result<()> {
    let (storage, table) = storage()?;
    let over = noon() + TOKEN_LIFE;
    for ahead in [43, 1_000_000_000] {
        let request = begin(&storage, &session(noon())).await;
        let mut item = table.scan()?.remove(0);
        item["lease_id"] = json!({ "S": "of-no-request" });
        item["lease_until"] = json!({ "N": seconds(over + Duration::from_secs(ahead)) });
        table.put(&item)?;

        begin_renewal(&storage, &request, over).await;
        table.clear()?;
    }
    Ok(())
}

/// With refresh tokens that change at each use, a second renewal would lose the session.
#[tokio::test]
async fn a_clock_that_is_thirty_seconds_ahead_takes_no_held_lease() -> Result<()> {
    let (storage, _table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let over = noon() + TOKEN_LIFE;
    let (_, _held) = begin_renewal(&storage, &request, over).await;

    // The lease is for twelve seconds. This request waits for four.
    let begun = Instant::now();
    let refused = storage.begin_renewal(&request, over + Duration::from_secs(12 + 24)).await.unwrap_err();

    assert_eq!(refused.row().reason.as_str(), "renewal_takes_too_long");
    assert!(begun.elapsed() < Duration::from_secs(6), "a request waits some seconds at most");
    begin_renewal(&storage, &request, over + Duration::from_secs(12 + 30)).await;
    Ok(())
}

#[tokio::test]
async fn one_of_two_renewals_is_ours_and_the_other_uses_the_token_that_is_there() -> Result<()> {
    let (storage, _table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let soon_over = noon() + TOKEN_LIFE - Duration::from_secs(30);
    assert!(matches!(visitor(&storage, &request, soon_over).await, Visitor::NeedsRenewal(_)));

    let (mut session, lease) = begin_renewal(&storage, &request, soon_over).await;

    assert!(matches!(storage.begin_renewal(&request, soon_over).await.unwrap(), Renewal::NotNeeded));
    assert!(matches!(visitor(&storage, &request, soon_over).await, Visitor::SignedIn(_)));
    session.replace_tokens(vec![renewed(soon_over)], soon_over);
    let kept = storage.finish_renewal(&request, lease, &session, soon_over).await.unwrap();
    assert!(is_kept(&kept));
    assert_eq!(visitor(&storage, &request, soon_over).await, Visitor::SignedIn(session));
    Ok(())
}

#[tokio::test]
async fn a_renewal_of_an_ended_token_is_waited_for() -> Result<()> {
    let (storage, _table, connection) = unreliable_storage()?;
    let request = begin(&storage, &session(noon())).await;
    let over = noon() + TOKEN_LIFE;
    let (mut session, lease) = begin_renewal(&storage, &request, over).await;
    let asked = connection.asked();

    let waits = storage.begin_renewal(&request, over);
    let other = async {
        // It has found the renewal under way, and has looked again.
        while connection.asked() < asked + 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        session.replace_tokens(vec![renewed(over)], over);
        storage.finish_renewal(&request, lease, &session, over).await
    };
    let (waited, finished) = tokio::join!(waits, other);

    assert!(is_kept(&finished.unwrap()));
    assert!(matches!(waited.unwrap(), Renewal::NotNeeded));
    Ok(())
}

#[tokio::test]
async fn the_lease_of_a_dead_holder_runs_out_and_its_late_result_is_refused() -> Result<()> {
    let (storage, _table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let over = noon() + TOKEN_LIFE;
    let (mut late, dead) = begin_renewal(&storage, &request, over).await;

    let next = over + Duration::from_secs(12 + 30);
    let (mut session, lease) = begin_renewal(&storage, &request, next).await;
    assert_ne!(format!("{lease:?}"), format!("{dead:?}"));

    late.replace_tokens(vec![renewed(over)], over);
    assert!(matches!(storage.finish_renewal(&request, dead, &late, next).await.unwrap(), Kept::No(_)));
    session.replace_tokens(vec![renewed(next)], next);
    assert!(is_kept(&storage.finish_renewal(&request, lease, &session, next).await.unwrap()));
    Ok(())
}

#[tokio::test]
async fn a_renewal_in_flight_does_not_bring_back_a_session_that_was_logged_out() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let over = noon() + TOKEN_LIFE;
    let (mut session, lease) = begin_renewal(&storage, &request, over).await;
    storage.end(&request).await.unwrap();

    session.replace_tokens(vec![renewed(over)], over);
    let kept = storage.finish_renewal(&request, lease, &session, over).await.unwrap();

    assert!(matches!(kept, Kept::No(Visitor::Unusable(Reason::SessionGone))));
    assert_eq!(table.scan()?.len(), 0);
    Ok(())
}
