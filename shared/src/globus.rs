//! The client of Globus Auth: authorization code with PKCE, ID token, revocation.
//!
//! The protocol's words are `oauth2`'s; this module adds what Globus does in its own way: tokens for several services
//! in one answer (`other_tokens`), and ID tokens signed with RS512 by keys without names.
//! Reference: <https://docs.globus.org/api/auth/reference/>

mod http;
mod id_token;

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::future::{join, join_all};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    attempt::Attempt,
    clock,
    config::{Config, GlobusConfig, Secret},
    error::{Error, Kind, Result},
    http_client,
    return_path::ReturnPath,
    session::{GLOBUS_AUTH, Identity, Session, Token},
};
use id_token::{Expected, KeySet, Person, Refused};

/// How long a logout waits for Globus to revoke the tokens.
const REVOKE_WITHIN: Duration = Duration::from_secs(2);

/// How soon the key set may be asked for again because a signature did not fit any of its keys.
const KEYS_AGAIN_AFTER: Duration = Duration::from_mins(1);

type TokenAnswer = StandardTokenResponse<GlobusFields, BasicTokenType>;

type OAuthClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What Globus adds to the token response of RFC 6749.
#[derive(Debug, Default, Serialize, Deserialize)]
struct GlobusFields {
    resource_server: Option<String>,
    id_token: Option<String>,
    other_tokens: Option<Vec<TokenAnswer>>,
}

impl ExtraTokenFields for GlobusFields {}

/// Globus's key set, and when it was asked for.
#[derive(Clone, Debug)]
struct CachedKeys {
    keys: Arc<KeySet>,
    asked: SystemTime,
}

/// The client of Globus Auth.
#[derive(Debug)]
pub struct Globus {
    oauth: OAuthClient,
    http: reqwest::Client,
    issuer: String,
    client_secret: Secret,
    scopes: Vec<Scope>,
    keys: Mutex<Option<CachedKeys>>,
}

/// Somebody who came back from Globus: who they are, and their tokens, one for each service.
#[derive(Debug)]
pub struct SignedIn {
    /// Who they are.
    pub identity: Identity,
    /// What they let this application do.
    pub tokens: Vec<Token>,
}

/// What came of a renewal.
#[derive(Debug, Default)]
pub struct Renewed {
    /// The tokens that Globus gave.
    pub tokens: Vec<Token>,
    /// What went wrong, for each service that it went wrong for.
    pub failures: Vec<Error>,
}

impl Globus {
    /// The client for a configuration.
    pub fn new(config: &Config, globus: GlobusConfig) -> Result<Self> {
        let unusable = |_| Error::from(Kind::Internal("globus_url"));
        let endpoint = |path| config.globus_auth.url(path);
        let oauth = Client::new(ClientId::new(config.client_id.clone()))
            .set_client_secret(ClientSecret::new(globus.client_secret.expose().to_owned()))
            // In the form: `oauth2` percent-encodes the secret for the header, and Globus may not decode it.
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::new(endpoint("/v2/oauth2/authorize")).map_err(unusable)?)
            .set_token_uri(TokenUrl::new(endpoint("/v2/oauth2/token")).map_err(unusable)?);
        Ok(Self {
            oauth,
            http: http_client::new()?,
            issuer: config.globus_auth.as_str().to_owned(),
            client_secret: globus.client_secret,
            scopes: globus.scopes.into_iter().map(Scope::new).collect(),
            keys: Mutex::default(),
        })
    }

    /// Begins a sign-in: the attempt to keep in the browser, and the URL at Globus to send the person to.
    pub fn begin(&self, redirect_uri: &str, next: ReturnPath, now: SystemTime) -> Result<(Attempt, String)> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let (url, state) = self
            .oauth
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes.clone())
            .set_redirect_uri(Cow::Owned(redirect_url(redirect_uri)?))
            .set_pkce_challenge(challenge)
            .add_extra_param("nonce", nonce.secret())
            // Refresh tokens as well.
            .add_extra_param("access_type", "offline")
            .url();
        let attempt = Attempt {
            state: state.into_secret(),
            nonce: nonce.into_secret(),
            pkce_verifier: verifier.into_secret(),
            next,
            begun: now,
        };
        Ok((attempt, url.into()))
    }

    /// Completes a sign-in: redeems the code and checks the ID token. Tokens that came with an answer that cannot be
    /// used are revoked, so that none is left behind.
    pub async fn complete(
        &self,
        code: String,
        attempt: &Attempt,
        redirect_uri: &str,
        now: SystemTime,
    ) -> Result<SignedIn> {
        // The keys are on their way while the code is redeemed: checking the ID token costs no round trip.
        let (answer, keys) = join(self.redeem(code, attempt, redirect_uri), self.keys(now)).await;
        let answer = answer?;
        let tokens = tokens(&answer, now);
        match self.identify(&answer, keys, &attempt.nonce, now).await {
            Ok(identity) => Ok(SignedIn { identity, tokens }),
            Err(error) => {
                self.revoke(&tokens).await;
                Err(error)
            }
        }
    }

    /// Renews the tokens of a session that are about to end: one request for each service, all at once, and whatever
    /// comes of one leaves the others alone.
    pub async fn renew(&self, session: &Session, now: SystemTime) -> Renewed {
        let answers = join_all(session.renewable(now).map(|token| self.renew_one(token, now))).await;
        let mut renewed = Renewed::default();
        for answer in answers {
            match answer {
                Ok(tokens) => renewed.tokens.extend(tokens),
                Err(error) => renewed.failures.push(error),
            }
        }
        renewed
    }

    /// Revokes every token, refresh and access, of every service; as many as Globus takes within two seconds. Revoking
    /// one of a pair leaves the other usable. Returns how many were not revoked.
    pub async fn revoke(&self, tokens: &[Token]) -> usize {
        self.revoke_unless_in(tokens, &[]).await
    }

    /// The same, without those that are in use elsewhere: Globus may give a token that it gave before.
    pub async fn revoke_unless_in(&self, tokens: &[Token], in_use: &[Token]) -> usize {
        let used: HashSet<_> = in_use.iter().flat_map(Token::secrets).collect();
        let secrets: Vec<_> = tokens.iter().flat_map(Token::secrets).filter(|secret| !used.contains(secret)).collect();
        let revocations = join_all(secrets.iter().map(|secret| async {
            tokio::time::timeout(REVOKE_WITHIN, self.revoke_one(secret)).await.is_ok_and(|revoked| revoked)
        }));
        let left = revocations.await.into_iter().filter(|revoked| !revoked).count();
        if left > 0 {
            tracing::warn!(
                reason = "tokens_not_revoked",
                left,
                of = secrets.len(),
                "Globus did not revoke every token"
            );
        }
        left
    }

    /// The page at Globus where a person can end their session there as well.
    ///
    /// <https://docs.globus.org/api/helper-pages/auth/>
    pub fn logout_url(&self, redirect_uri: &str, redirect_name: &str) -> String {
        let mut url = self.oauth.auth_uri().url().clone();
        url.set_path("/v2/web/logout");
        url.query_pairs_mut()
            .append_pair("client_id", self.oauth.client_id())
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("redirect_name", redirect_name);
        url.into()
    }

    async fn redeem(&self, code: String, attempt: &Attempt, redirect_uri: &str) -> Result<TokenAnswer> {
        let send = |request| self.send(request);
        self.oauth
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.pkce_verifier.clone()))
            .set_redirect_uri(Cow::Owned(redirect_url(redirect_uri)?))
            .request_async(&send)
            .await
            .map_err(token_error)
    }

    async fn renew_one(&self, token: &Token, now: SystemTime) -> Result<Vec<Token>> {
        let refresh_token = RefreshToken::new(token.refresh_token.clone().unwrap_or_default());
        let send = |request| self.send(request);
        let answer =
            self.oauth.exchange_refresh_token(&refresh_token).request_async(&send).await.map_err(token_error)?;
        let renewed = tokens(&answer, now);
        let checked = each_token(&answer).try_for_each(check_token).and_then(|()| {
            let same_service = renewed.iter().any(|renewed| renewed.resource_server == token.resource_server);
            if same_service { Ok(()) } else { Err(Kind::AnswerRefused("renewal_of_another_service").into()) }
        });
        match checked {
            Ok(()) => Ok(renewed),
            Err(error) => {
                self.revoke_unless_in(&renewed, std::slice::from_ref(token)).await;
                Err(error)
            }
        }
    }

    async fn identify(
        &self,
        answer: &TokenAnswer,
        keys: Result<CachedKeys>,
        nonce: &str,
        now: SystemTime,
    ) -> Result<Identity> {
        each_token(answer).try_for_each(check_token)?;
        let id_token = answer.extra_fields().id_token.as_deref().ok_or(Kind::AnswerRefused("id_token_missing"))?;
        let access_token = answer.access_token().secret();
        let client_id = self.oauth.client_id();
        let expected = Expected { issuer: &self.issuer, client_id, nonce, access_token, now };

        let keys = keys?;
        let mut person = id_token::verify(id_token, &keys.keys, expected);
        if person.as_ref().is_err_and(|refused| *refused == Refused::Signature)
            && keys.is_older_than(KEYS_AGAIN_AFTER, now)
        {
            let keys = self.fetch_keys(now).await?;
            person = id_token::verify(id_token, &keys.keys, expected);
        }
        let person = person.map_err(|refused| match refused {
            Refused::Signature => Kind::AnswerRefused("id_token_signature"),
            Refused::Other(reason) => Kind::AnswerRefused(reason),
        })?;
        if person.preferred_username.is_some() {
            return Ok(person.into());
        }
        let said = self.userinfo(access_token).await?;
        // Somebody else's claims, however they came here, are not this person's.
        if said.sub == person.sub { Ok(said.into()) } else { Err(Kind::AnswerRefused("userinfo_subject").into()) }
    }

    /// The keys of this instance, asked for once.
    async fn keys(&self, now: SystemTime) -> Result<CachedKeys> {
        let cached = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match cached {
            Some(keys) => Ok(keys),
            None => self.fetch_keys(now).await,
        }
    }

    async fn fetch_keys(&self, now: SystemTime) -> Result<CachedKeys> {
        let request = self.http.get(format!("{}/jwk.json", self.issuer));
        let answer = http::send(request).await?;
        let keys = CachedKeys { keys: Arc::new(KeySet::parse(answer.body())?), asked: now };
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys.clone());
        Ok(keys)
    }

    async fn userinfo(&self, access_token: &str) -> Result<Person> {
        let request = self.http.get(format!("{}/v2/oauth2/userinfo", self.issuer)).bearer_auth(access_token);
        let answer = http::send(request).await?;
        serde_json::from_slice(answer.body()).map_err(|_| Kind::AnswerRefused("userinfo_unreadable").into())
    }

    async fn revoke_one(&self, secret: &str) -> bool {
        let request = self
            .http
            .post(format!("{}/v2/oauth2/token/revoke", self.issuer))
            .basic_auth(self.oauth.client_id().as_str(), Some(self.client_secret.expose()))
            .form(&[("token", secret)]);
        http::send(request).await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Sends a request of `oauth2`'s making.
    async fn send(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse> {
        let request = reqwest::Request::try_from(request).map_err(|_| Kind::Internal("request_not_built"))?;
        http::send(reqwest::RequestBuilder::from_parts(self.http.clone(), request)).await
    }
}

impl CachedKeys {
    fn is_older_than(&self, age: Duration, now: SystemTime) -> bool {
        now.duration_since(self.asked).is_ok_and(|since| since >= age)
    }
}

fn redirect_url(redirect_uri: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Kind::Internal("redirect_uri").into())
}

/// The token at the top of the answer and those beside it, each for one service.
fn each_token(answer: &TokenAnswer) -> impl Iterator<Item = &TokenAnswer> {
    let others = answer.extra_fields().other_tokens.iter().flatten();
    std::iter::once(answer).chain(others)
}

fn check_token(answer: &TokenAnswer) -> Result<()> {
    if *answer.token_type() != BasicTokenType::Bearer {
        return Err(Kind::AnswerRefused("token_type").into());
    }
    // A life of 48 hours is usual, but an older token with less left may be handed out again: it is never assumed.
    if answer.expires_in().is_none() {
        return Err(Kind::AnswerRefused("token_lifetime_missing").into());
    }
    Ok(())
}

fn tokens(answer: &TokenAnswer, now: SystemTime) -> Vec<Token> {
    let token = |answer: &TokenAnswer| {
        let scopes = answer.scopes().into_iter().flatten();
        let scopes: Vec<_> = scopes.map(|scope| scope.as_str()).collect();
        let resource_server = answer.extra_fields().resource_server.as_deref();
        Token {
            resource_server: resource_server.unwrap_or(GLOBUS_AUTH).to_owned(),
            scope: scopes.join(" "),
            access_token: AccessToken::secret(answer.access_token()).clone(),
            refresh_token: answer.refresh_token().map(RefreshToken::secret).cloned(),
            received: clock::seconds(now),
            lifetime: answer.expires_in().unwrap_or_default().as_secs(),
        }
    };
    each_token(answer).map(token).collect()
}

/// What the token endpoint's refusal means. Only its code is looked at: Globus gives 400 and 401 for the same thing, and
/// the text of an error may repeat what was sent.
fn token_error(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(refusal) => match refusal.error() {
            BasicErrorResponseType::InvalidGrant => Kind::CodeRefused.into(),
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => {
                Kind::GlobusRefused("client_refused").into()
            }
            _ => Kind::GlobusRefused("token_request_refused").into(),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Kind::AnswerRefused("token_answer_unreadable").into()
        }
    }
}

#[cfg(test)]
mod tests;
