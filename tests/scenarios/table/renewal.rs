//! One of many requests renews a session, and holds a lease meanwhile.

use super::*;

#[tokio::test]
async fn a_lease_longer_than_any_can_be_blocks_no_renewal() -> Result<()> {
    let (storage, table) = storage()?;
    let over = noon() + TOKEN_LIFE;
    for ahead in [48, 1_000_000_000] {
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

    // The lease is for seventeen seconds. This request waits for four.
    let begun = Instant::now();
    let refused = storage.begin_renewal(&request, over + Duration::from_secs(17 + 24)).await.unwrap_err();

    assert_eq!(refused.row().reason.as_str(), "renewal_takes_too_long");
    assert!(begun.elapsed() < Duration::from_secs(6), "a request waits some seconds at most");
    begin_renewal(&storage, &request, over + Duration::from_secs(17 + 30)).await;
    Ok(())
}

#[tokio::test]
async fn one_of_two_renewals_is_ours_and_the_other_uses_the_token_that_is_there() -> Result<()> {
    let (storage, _table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let soon_over = noon() + TOKEN_LIFE - Duration::from_secs(31);
    assert!(matches!(visitor(&storage, &request, soon_over).await, Visitor::NeedsRenewal(_)));

    let (mut session, lease) = begin_renewal(&storage, &request, soon_over).await;

    assert!(matches!(storage.begin_renewal(&request, soon_over).await.unwrap(), Renewal::NotNeeded));
    assert!(matches!(visitor(&storage, &request, soon_over).await, Visitor::SignedIn(_)));
    session.replace_tokens(vec![renewed(soon_over)]);
    session.note_renewal(soon_over);
    let kept = storage.finish_renewal(&request, lease, &session, soon_over).await.unwrap();
    assert!(is_kept(&kept));
    assert_eq!(visitor(&storage, &request, soon_over).await, Visitor::SignedIn(session));
    Ok(())
}

/// It would be sent to a renewal that it cannot begin.
#[tokio::test]
async fn a_page_whose_clock_is_ahead_uses_the_token_that_is_there_while_another_request_renews() -> Result<()> {
    let (storage, _table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let soon_over = noon() + TOKEN_LIFE - Duration::from_mins(1);
    let (_, _held) = begin_renewal(&storage, &request, soon_over).await;

    let ahead = soon_over + Duration::from_secs(59);
    assert!(matches!(visitor(&storage, &request, ahead).await, Visitor::SignedIn(_)));
    let behind = soon_over + Duration::from_secs(29);
    assert!(matches!(storage.begin_renewal(&request, behind).await.unwrap(), Renewal::NotNeeded));
    let over = soon_over + Duration::from_mins(1);
    assert!(matches!(visitor(&storage, &request, over).await, Visitor::NeedsRenewal(_)));
    begin_renewal(&storage, &request, over).await;
    Ok(())
}

/// A page whose clock is ahead would be sent back to it at once.
#[tokio::test]
async fn a_renewal_is_waited_for_while_the_token_of_another_service_ends() -> Result<()> {
    let (storage, _table) = storage()?;
    let mut session = session(noon());
    session.tokens[1].received = noon() - Duration::from_secs(40);
    let request = begin(&storage, &session).await;
    let soon_over = noon() + TOKEN_LIFE - Duration::from_mins(1);
    let (_, _held) = begin_renewal(&storage, &request, soon_over).await;

    let waited = storage.begin_renewal(&request, soon_over).await.unwrap_err();
    assert_eq!(waited.row().reason.as_str(), "renewal_takes_too_long");
    Ok(())
}

/// The lease of a request that has died ends later for a page than for a renewal, whose clock may be behind.
#[tokio::test]
async fn a_page_that_can_wait_believes_a_lease_for_half_a_minute_more_than_a_renewal() -> Result<()> {
    let (storage, _table) = storage_with_rules(&[GROUP])?;
    let request = begin(&storage, &admitted(&[GROUP], &[], noon())).await;
    let half = noon() + Duration::from_mins(30);
    begin_renewal(&storage, &request, half).await;

    let limits = configure(&[GROUP], Config::read).unwrap().limits();
    for (seconds, is_due) in [(17 + 59, false), (17 + 60, true)] {
        let now = half + Duration::from_secs(seconds);
        let Visitor::SignedIn(session) = visitor(&storage, &request, now).await else { panic!("not signed in") };
        assert_eq!(session.check_is_due(&limits, now), is_due, "after {seconds} s");
    }
    begin_renewal(&storage, &request, half + Duration::from_secs(17 + 30)).await;
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
        session.replace_tokens(vec![renewed(over)]);
        // For the other service.
        assert!(session.note_failure(over));
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

    let next = over + Duration::from_secs(17 + 30);
    let (mut session, lease) = begin_renewal(&storage, &request, next).await;
    assert_ne!(format!("{lease:?}"), format!("{dead:?}"));

    late.replace_tokens(vec![renewed(over)]);
    late.note_renewal(over);
    assert!(matches!(storage.finish_renewal(&request, dead, &late, next).await.unwrap(), Kept::No(_)));
    session.replace_tokens(vec![renewed(next)]);
    session.note_renewal(next);
    assert!(is_kept(&storage.finish_renewal(&request, lease, &session, next).await.unwrap()));
    Ok(())
}

/// It has the tokens that were replaced, and the roles of an earlier check.
#[tokio::test]
async fn a_sealed_session_from_before_a_renewal_signs_no_user_in() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let before = table.scan()?.remove(0);
    let over = noon() + TOKEN_LIFE;
    let (mut session, lease) = begin_renewal(&storage, &request, over).await;
    session.replace_tokens(vec![renewed(over)]);
    session.note_renewal(over);
    assert!(is_kept(&storage.finish_renewal(&request, lease, &session, over).await.unwrap()));

    let mut item = table.scan()?.remove(0);
    assert_eq!((&before["version"]["N"], &item["version"]["N"]), (&json!("1"), &json!("2")));
    item["sealed"] = before["sealed"].clone();
    table.put(&item)?;

    assert_eq!(visitor(&storage, &request, over).await, Visitor::Unusable(Reason::SessionUnreadable));
    Ok(())
}

#[tokio::test]
async fn a_renewal_in_flight_does_not_bring_back_a_session_that_was_logged_out() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let over = noon() + TOKEN_LIFE;
    let (mut session, lease) = begin_renewal(&storage, &request, over).await;
    storage.end(&request).await.unwrap();

    session.replace_tokens(vec![renewed(over)]);
    session.note_renewal(over);
    let kept = storage.finish_renewal(&request, lease, &session, over).await.unwrap();

    assert!(matches!(kept, Kept::No(Visitor::Unusable(Reason::SessionGone))));
    assert_eq!(table.scan()?.len(), 0);
    Ok(())
}

const GROUP: (&str, &str) = ("ALLOWED_GROUPS", "69070000-0001-4ba1-8f4e-2ea86a5b4c01");

/// A storage of a site with these access rules.
fn storage_with_rules(rules: &[(&str, &str)]) -> Result<(DynamoDbStorage, Table<'static>)> {
    let table = DynamoDb::shared()?.table()?;
    let mut pairs = table.variables();
    pairs.extend(rules.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Ok((storage_on(pairs)?, table))
}

#[tokio::test]
async fn of_many_pages_one_checks_the_rules_and_the_others_go_on_until_the_check_must_be_repeated() -> Result<()> {
    let (storage, _table) = storage_with_rules(&[GROUP])?;
    let request = begin(&storage, &admitted(&[GROUP], &["admin"], noon())).await;
    let half = noon() + Duration::from_mins(30);
    let (mut session, lease) = begin_renewal(&storage, &request, half).await;

    assert!(matches!(storage.begin_renewal(&request, half).await.unwrap(), Renewal::NotNeeded));
    assert!(matches!(visitor(&storage, &request, half).await, Visitor::SignedIn(_)));

    session.admission = admitted(&[GROUP], &[], half).admission;
    session.note_renewal(half);
    assert!(is_kept(&storage.finish_renewal(&request, lease, &session, half).await.unwrap()));
    let later = noon() + Duration::from_hours(1);
    assert!(
        matches!(visitor(&storage, &request, later).await, Visitor::SignedIn(session) if !session.has_role("admin"))
    );
    Ok(())
}

#[tokio::test]
async fn a_check_in_flight_does_not_bring_back_a_session_that_another_check_has_ended() -> Result<()> {
    let (storage, table) = storage_with_rules(&[GROUP])?;
    let request = begin(&storage, &admitted(&[GROUP], &[], noon())).await;
    let half = noon() + Duration::from_mins(30);
    let (mut session, lease) = begin_renewal(&storage, &request, half).await;
    storage.end(&request).await.unwrap();

    session.admission = admitted(&[GROUP], &[], half).admission;
    let kept = storage.finish_renewal(&request, lease, &session, half).await.unwrap();

    assert!(matches!(kept, Kept::No(Visitor::Unusable(Reason::SessionGone))));
    assert_eq!(table.scan()?, [json!(null); 0]);
    Ok(())
}

#[tokio::test]
async fn one_request_checks_the_access_rules_and_the_others_wait_only_if_it_must_be() -> Result<()> {
    let rules = [GROUP, ("MAX_AUTHENTICATION_MINUTES", "120")];
    let (storage, _table) = storage_with_rules(&rules)?;
    let limits = configure(&rules, Config::read).unwrap().limits();
    let at = |minutes| noon() + Duration::from_mins(minutes);

    let request = begin(&storage, &admitted(&rules, &[], noon())).await;
    let (_, _held) = begin_renewal(&storage, &request, at(30)).await;
    let Visitor::SignedIn(other) = visitor(&storage, &request, at(30)).await else {
        return Err("the period is not over".to_owned());
    };
    assert!(!other.check_is_due(&limits, at(30)), "a page is not sent to the check as well");
    assert!(matches!(storage.begin_renewal(&request, at(30)).await, Ok(Renewal::NotNeeded)));

    let (_, _held) = begin_renewal(&storage, &request, at(60)).await;
    assert!(matches!(visitor(&storage, &request, at(60)).await, Visitor::NeedsRenewal(_)));
    let refused = storage.begin_renewal(&request, at(60)).await.unwrap_err();
    assert_eq!(refused.row().reason.as_str(), "renewal_takes_too_long");

    assert!(matches!(visitor(&storage, &request, at(120)).await, Visitor::LoginTooOld(_)));
    assert!(matches!(storage.begin_renewal(&request, at(120)).await, Ok(Renewal::LoginNeeded)));
    Ok(())
}
