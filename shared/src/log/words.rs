//! The words of the log: what happened, what came of it, and why.
//!
//! `template.yaml` counts and alarms on these words; a test compares both.

/// An enum whose variants are the words of one field: each with its text in the log, and its meaning.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal $meaning:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $meaning] $variant,)+ }

        impl $name {
            /// Every word of this field.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as the log and a JSON response have it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// What happened: the field `event`.
    Event {
        Logout "logout" "A user logged out.",
        Panic "panic" "A defect ended the process.",
        Renewal "renewal" "The tokens of a session were to be renewed.",
        Request "request" "Any other request.",
        Revocation "revocation" "Tokens were to be revoked at Globus.",
        SignIn "sign_in" "A sign-in was to be completed.",
        Start "start" "A function started with settings that will make requests fail.",
    }
}

words! {
    /// What came of it: the field `outcome`.
    Outcome {
        Failure "failure" "It failed: something is wrong with this site, its session table, or Globus.",
        Partial "partial" "It succeeded, but a step that can be done without failed.",
        Refused "refused" "It was rightly refused.",
        Success "success" "It succeeded.",
    }
}

words! {
    /// Why it failed or was refused: the field `reason`.
    Reason {
        AccessDenied "access_denied" "Globus reports that the user did not allow access.",
        AttemptOver "attempt_over" "The sign-in took longer than ten minutes.",
        BodyUnreadable "body_unreadable" "The body of the event is not the base64 that it claims to be.",
        CallbackIssuer "callback_issuer" "The callback names another authorization server (RFC 9207).",
        CheckTokenRefused "check_token_refused" "Globus refuses the token that the access rules are checked with, or gave none.",
        ClientRefused "client_refused" "Globus refuses the client id or secret of this application.",
        CodeMissing "code_missing" "The callback has neither a code nor an error.",
        CodeRefused "code_refused" "Globus refuses the authorization code or refresh token.",
        Configuration "configuration" "The function's settings have problems; the field `detail` lists them.",
        CookieNotSealed "cookie_not_sealed" "A cookie could not be encrypted.",
        CookieUnreadable "cookie_unreadable" "The session cookie is foreign, altered, sealed with a retired key, or one of two users.",
        CrossSite "cross_site" "A form was sent from another site.",
        DomainNotAllowed "domain_not_allowed" "The user has logged in with no username of `ALLOWED_DOMAINS`.",
        EventUnreadable "event_unreadable" "The event is not one of an HTTP API, payload 2.0.",
        GlobusResponseTooLarge "globus_response_too_large" "A response of Globus is larger than 1 MiB.",
        GlobusConnectionLost "globus_connection_lost" "The connection to Globus ended during a response.",
        GlobusErrorStatus "globus_error_status" "Globus responded with 429 or 5xx.",
        GlobusTimeout "globus_timeout" "Globus did not respond within 5 seconds.",
        GlobusUnreachable "globus_unreachable" "No connection to Globus could be opened.",
        GroupsUnreadable "groups_unreadable" "The response of Globus Groups is no success, or not a list of groups.",
        HttpClientNotBuilt "http_client_not_built" "The HTTP client could not be made.",
        IdTokenAlgorithm "id_token_algorithm" "The ID token is not signed with RS512, or has critical header fields.",
        IdTokenAtHash "id_token_at_hash" "The ID token belongs to another access token.",
        IdTokenAudience "id_token_audience" "The ID token is for another client.",
        IdTokenClaimsUnreadable "id_token_claims_unreadable" "A claim that is needed is missing or has another type.",
        IdTokenExpired "id_token_expired" "The ID token has expired.",
        IdTokenFromTheFuture "id_token_from_the_future" "The ID token was issued more than five minutes in the future.",
        IdTokenIssuer "id_token_issuer" "The ID token was issued by another provider.",
        IdTokenMalformed "id_token_malformed" "The ID token is not a signed JWT.",
        IdTokenMissing "id_token_missing" "The token response has no ID token.",
        IdTokenNonce "id_token_nonce" "The ID token belongs to another sign-in.",
        IdTokenSignature "id_token_signature" "No key of Globus verifies the ID token.",
        IdTokenSubject "id_token_subject" "The ID token's `sub` is not 1 to 255 printable ASCII characters.",
        IntrospectionSubject "introspection_subject" "The introspection is about another user.",
        IntrospectionUnreadable "introspection_unreadable" "The introspection is no success, or not readable.",
        InvalidRequest "invalid_request" "Globus reports a malformed authorization request.",
        InvalidScope "invalid_scope" "Globus reports an unknown scope; see `GLOBUS_SCOPES`.",
        KeySetUnreadable "key_set_unreadable" "Globus's key set is no success, not JSON, or has no RS512 key.",
        LateResponse "late_response" "A response from before the logout had set the session cookie again.",
        LocationUnreadable "location_unreadable" "A redirect target cannot be put into a header.",
        LoginRequired "login_required" "Globus reports that the user is not logged in there.",
        LoginTooOld "login_too_old" "The user logged in longer ago than `MAX_AUTHENTICATION_MINUTES`.",
        MethodNotAllowed "method_not_allowed" "The page does not have this method.",
        MethodUnreadable "method_unreadable" "The event's method is not an HTTP method.",
        NoRandomNumbers "no_random_numbers" "The system gives no random numbers.",
        NotANavigation "not_a_navigation" "A prefetch, an image, or a frame asked for the login page.",
        NotInGroup "not_in_group" "The user is no active member of a group of `ALLOWED_GROUPS`.",
        NotFound "not_found" "There is no page at this path.",
        NoLoginCookie "no_login_cookie" "The browser has sent no login cookie: it may block cookies.",
        NoTokenForService "no_token_for_service" "No configured scope gives a token for this service.",
        OriginSecretMissing "origin_secret_missing" "The request did not come through the proxy; see `ORIGIN_SECRET`.",
        OtherUser "other_user" "Another user is signed in in this browser.",
        PageNotRendered "page_not_rendered" "A template failed.",
        ParameterRepeated "parameter_repeated" "A query parameter occurs twice.",
        PolicyNotMet "policy_not_met" "The login does not fulfil every policy of `REQUIRED_POLICIES`.",
        RedirectUri "redirect_uri" "The redirect URI is not a URL.",
        RenewalOfAnotherService "renewal_of_another_service" "A renewal gave no token for the service it was for.",
        RenewalRequired "renewal_required" "The access token expires soon.",
        RenewalTakesTooLong "renewal_takes_too_long" "Another request is renewing this session and does not finish.",
        RequestNotBuilt "request_not_built" "A request to Globus could not be made.",
        ReturnPathForeign "return_path_foreign" "The page to return to is not one of this site.",
        ReturnPathTooLong "return_path_too_long" "The page to return to has more than 512 bytes.",
        RulesDiffer "rules_differ" "The functions have different access rules, as during an update.",
        RulesNotChecked "rules_not_checked" "The access rules were not checked, or not recently.",
        ServerError "server_error" "Globus reports an error of its own.",
        ServiceConnectionLost "service_connection_lost" "The connection to a service that a page needs ended.",
        ServiceConsentMissing "service_consent_missing" "The user has not consented to what a service needs.",
        ServiceErrorStatus "service_error_status" "A service that a page needs responded with 5xx.",
        ServiceForbidden "service_forbidden" "A service that a page needs does not let this user do that.",
        ServiceResponseTooLarge "service_response_too_large" "A response of a service is larger than 1 MiB.",
        ServiceResponseUnreadable "service_response_unreadable" "A response of a service is not as documented.",
        ServiceTimeout "service_timeout" "A service that a page needs did not respond within 5 seconds.",
        ServiceTokenRefused "service_token_refused" "A service refuses a token that Globus has just issued.",
        ServiceTooManyRequests "service_too_many_requests" "A service that a page needs responded with 429.",
        ServiceUnreachable "service_unreachable" "No connection to a service that a page needs could be opened.",
        SessionEnded "session_ended" "The session has ended: it must not end others.",
        SessionGone "session_gone" "The session table has no such session: it was ended elsewhere, or deleted.",
        SessionIdTaken "session_id_taken" "The session id exists already: the random numbers repeat.",
        SessionNotSealed "session_not_sealed" "A session could not be encrypted.",
        SessionTooLarge "session_too_large" "The tokens do not fit into a cookie.",
        SessionUnreadable "session_unreadable" "The session's item was changed, or is of an unknown format.",
        SignInRequired "sign_in_required" "The page is for signed-in users only.",
        StateUnknown "state_unknown" "This browser has no login cookie for the callback's state.",
        StoreAccessDenied "store_access_denied" "DynamoDB refuses the function's credentials or role.",
        StoreResponseUnreadable "store_response_unreadable" "A response of DynamoDB is not readable.",
        StoreError "store_error" "DynamoDB reports any other error.",
        StoreTableMissing "store_table_missing" "The session table does not exist.",
        StoreThrottled "store_throttled" "DynamoDB throttles requests to the session table.",
        StoreTimeout "store_timeout" "DynamoDB did not respond in time.",
        StoreUnreachable "store_unreachable" "No connection to DynamoDB could be opened.",
        SubjectTooLong "subject_too_long" "The user's UUID does not fit into a cookie.",
        TemporarilyUnavailable "temporarily_unavailable" "Globus reports that it is overloaded or in maintenance.",
        TooManyScopes "too_many_scopes" "The tokens for the configured scopes do not fit into a cookie for most users.",
        TokenEntryUnreadable "token_entry_unreadable" "A token for another service is not readable; it is not used.",
        TokenRepeated "token_repeated" "A token response has two tokens for one service; the first is used.",
        TokenResponseUnreadable "token_response_unreadable" "The token response is not readable.",
        TokenLifetimeMissing "token_lifetime_missing" "A token comes without `expires_in`, or has expired on arrival.",
        TokenRequestRefused "token_request_refused" "Globus refuses the token request.",
        TokensNotRevoked "tokens_not_revoked" "Globus did not revoke every token; they end by themselves.",
        TokenType "token_type" "A token is not a bearer token.",
        UnauthorizedClient "unauthorized_client" "Globus reports that this application may not sign users in.",
        UnknownAddress "unknown_address" "The request came by another host name, and `BASE_URL` is not set.",
        UnknownError "unknown_error" "Globus reports an error with an unknown code.",
        UrlUnreadable "url_unreadable" "The event's path and query make no URL.",
        UserinfoSubject "userinfo_subject" "The userinfo response is about another user.",
        UserinfoUnreadable "userinfo_unreadable" "The userinfo response is no success, or not readable.",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_is_a_unique_word_in_snake_case() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();

        assert_eq!(words.len(), Reason::ALL.len());
        let snake = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(words.iter().all(|word| snake(word)), "{words:?}");
    }

    /// A word that an operator finds in the log at night is explained, in alphabetical order.
    #[test]
    fn the_manual_has_each_reason_once_with_its_cause_and_remedy() {
        let manual = include_str!("../../../docs/operations.md");
        let section = manual.split("\n## Reasons\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let rows: Vec<Vec<_>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
        let named: Vec<_> = rows.iter().map(|cells| cells[1].trim_matches('`')).collect();
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();

        assert_eq!(named, words.into_iter().collect::<Vec<_>>());
        for cells in rows {
            let complete = matches!(cells[..], ["", _, cause, remedy, ""] if !cause.is_empty() && !remedy.is_empty());
            assert!(complete, "{cells:?}");
        }
    }
}
