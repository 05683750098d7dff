//! The client of Globus Auth: authorization code with PKCE, ID token, revocation.
//!
//! The crate `oauth2` speaks the protocol; this module adds what is particular to Globus: tokens for several services in
//! one response (`other_tokens`), and ID tokens signed with RS512 by keys without a key id.
//! Reference: <https://docs.globus.org/api/auth/reference/>

mod facts;
mod groups;
mod http;
mod id_token;
mod introspection;
mod key_set;
mod lenient;
mod renewal;
mod revocation;
mod scopes;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token_response;

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use futures_util::future::join;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, TokenResponse as _, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};

use crate::{
    Error, Kind, Result, Secret, Timestamp,
    attempt::{Attempt, Intent},
    config::{AccessRules, Address, Config, GlobusConfig, Origin},
    http_client,
    log::{self, Event, Outcome, Reason},
    paths,
    session::{Admission, GLOBUS_AUTH, Identity, Session, Token},
};
pub use facts::Facts;
pub use groups::Membership;
use id_token::Expected;
pub use introspection::{Introspection, LinkedIdentity, Login};
use key_set::KeySet;
pub use renewal::Renewed;
use token_response::{TokenResponse, Tokens};

type OAuthClient = Client<
    BasicErrorResponse,
    TokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The client of Globus Auth.
#[derive(Debug)]
pub struct Globus {
    oauth: OAuthClient,
    http: reqwest::Client,
    issuer: String,
    client_secret: Secret,
    scopes: Vec<Scope>,
    groups: Origin,
    rules: Option<AccessRules>,
    keys: Mutex<Option<KeySet>>,
}

/// A user who came back from Globus.
#[derive(Debug)]
pub struct SignedIn {
    /// The user.
    pub identity: Identity,
    /// The tokens, one entry for each service.
    pub tokens: Vec<Token>,
}

impl Globus {
    /// The client of this deployment.
    pub fn new(config: &Config, globus: GlobusConfig) -> Result<Self> {
        let unusable = |_| Error::from(Kind::Internal(Reason::RequestNotBuilt));
        let endpoint = |path| config.globus_auth.url(path);
        let oauth = Client::new(ClientId::new(config.client_id.clone()))
            .set_client_secret(ClientSecret::new(globus.client_secret.expose().to_owned()))
            // In the form: `oauth2` percent-encodes the secret for the header, and Globus may not decode it.
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::new(endpoint("/v2/oauth2/authorize")).map_err(unusable)?)
            .set_token_uri(TokenUrl::new(endpoint("/v2/oauth2/token")).map_err(unusable)?);
        let mut scopes = globus.scopes;
        let need_groups = config.rules.as_ref().is_some_and(AccessRules::need_groups);
        if need_groups && !scopes.iter().any(|scope| scope == groups::SCOPE) {
            scopes.push(groups::SCOPE.to_owned());
        }
        Ok(Self {
            oauth,
            http: http_client::new()?,
            issuer: config.globus_auth.as_str().to_owned(),
            client_secret: globus.client_secret,
            scopes: scopes.into_iter().map(Scope::new).collect(),
            groups: globus.groups,
            rules: config.rules.clone(),
            keys: Mutex::default(),
        })
    }

    /// Whether a redirect URI can be made of a site's address: a host name such as `xn--a` is not valid.
    pub fn accepts(site: &Address) -> bool {
        redirect_url(&site.url(paths::LOGIN)).is_ok()
    }

    /// The session that a sign-in usually gives: with a token for each service that the configured scopes name, as long as
    /// Globus's tokens are, and a user with names of usual length and every role. To find out whether it can be kept: none
    /// for so few scopes that it always can, so that a usual cold start estimates nothing.
    pub fn usual_session(&self) -> Option<Session> {
        const FEW: usize = 5;
        let scopes = self.scopes.iter().map(|scope| scope.as_str());
        (self.scopes.len() > FEW).then(|| {
            let mut session = scopes::usual_session(scopes);
            let begun = session.begun();
            let admission = |rules: &AccessRules| Admission::new(rules, rules.role_names(|_| true), Some(begun), begun);
            session.admission = self.rules.as_ref().map(admission);
            session
        })
    }

    /// Begins a sign-in: the attempt to keep in the browser, and the URL at Globus to send the browser to.
    ///
    /// Globus is told what the access rules ask of the login (<https://docs.globus.org/api/auth/sessions/>). The user can
    /// take that out of the URL: it is checked afterwards. With `prompt=login`, Globus asks the user to log in even if it
    /// knows the browser ([OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
    pub fn begin(&self, redirect_uri: &str, intent: Intent, now: Timestamp) -> Result<(Attempt, String)> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let mut request = self
            .oauth
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes.clone())
            .set_redirect_uri(Cow::Owned(redirect_url(redirect_uri)?))
            .set_pkce_challenge(challenge)
            .add_extra_param("nonce", nonce.secret())
            // For refresh tokens.
            .add_extra_param("access_type", "offline");
        if intent.other_account || intent.log_in_again {
            request = request.add_extra_param("prompt", "login");
        }
        if let Some(AccessRules { domains, policies, .. }) = &self.rules {
            for (name, list) in [("session_required_single_domain", domains), ("session_required_policies", policies)] {
                if !list.is_empty() {
                    request = request.add_extra_param(name, list.join(","));
                }
            }
        }
        let (url, state) = request.url();
        let attempt = Attempt {
            state: Secret::new(state.into_secret()),
            nonce: Secret::new(nonce.into_secret()),
            pkce_verifier: Secret::new(verifier.into_secret()),
            intent,
            begun: now,
        };
        Ok((attempt, url.into()))
    }

    /// Completes a sign-in: redeems the code and verifies the ID token. If the response cannot be used, its tokens are
    /// revoked, so that none is left alive, except for those that are in use: Globus may give a token that it gave before.
    pub async fn complete(
        &self,
        code: String,
        attempt: &Attempt,
        redirect_uri: &str,
        in_use: &[Token],
        now: Timestamp,
    ) -> Result<SignedIn> {
        let received = Mutex::default();
        // The keys are fetched while the code is redeemed: verifying the ID token costs no round trip.
        let (response, keys) = join(self.redeem(code, attempt, redirect_uri, &received), self.keys(now)).await;
        let received = received.into_inner().unwrap_or_else(PoisonError::into_inner);
        let completed = match response {
            Ok(response) => {
                self.identify(&response, keys, attempt.nonce.expose(), now).await.map(|user| (user, response))
            }
            Err(error) => Err(error),
        };
        match completed {
            Ok((identity, response)) => {
                let Tokens { used, unused } = response.tokens(GLOBUS_AUTH, now);
                if let Some(reason) = unused.first() {
                    let detail = format!("{} tokens not used", unused.len());
                    let details = log::Details { detail: Some(&detail), ..(*reason).into() };
                    log::write(Event::Revocation, Outcome::Partial, details);
                }
                self.revoke_secrets(&received, &used).await;
                Ok(SignedIn { identity, tokens: used })
            }
            Err(error) => {
                self.revoke_secrets(&received, in_use).await;
                Err(error)
            }
        }
    }

    /// The address of one of Globus's pages for users, with a link back to this site: `/v2/web/logout` to log out there as
    /// well, `/v2/web/consents` to withdraw this app's access.
    ///
    /// <https://docs.globus.org/api/helper-pages/auth/>
    pub fn page(&self, path: &str, redirect_uri: &str, redirect_name: &str) -> String {
        let mut url = self.oauth.auth_uri().url().clone();
        url.set_path(path);
        url.query_pairs_mut()
            .append_pair("client_id", self.oauth.client_id())
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("redirect_name", redirect_name);
        url.into()
    }

    async fn redeem(
        &self,
        code: String,
        attempt: &Attempt,
        redirect_uri: &str,
        received: &Mutex<Vec<Secret>>,
    ) -> Result<TokenResponse> {
        let send = |request| self.send(request, received);
        self.oauth
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.pkce_verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Owned(redirect_url(redirect_uri)?))
            .request_async(&send)
            .await
            .map_err(token_response::failure)
    }

    /// The user that a token response is about.
    async fn identify(
        &self,
        response: &TokenResponse,
        keys: Result<KeySet>,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Identity> {
        response.check().map_err(Kind::ResponseRefused)?;
        let id_token = response.id_token().map_err(Kind::ResponseRefused)?;
        let access_token = response.access_token().secret();
        let client_id = self.oauth.client_id();
        let expected = Expected { issuer: &self.issuer, client_id, nonce, access_token, now };

        let keys = keys?;
        let user = match id_token::verify(&id_token, &keys, expected) {
            // Globus may have made a new key since.
            Err(Reason::IdTokenSignature) if keys.may_be_old(now) => {
                id_token::verify(&id_token, &self.fetch_keys(now).await?, expected)
            }
            verified => verified,
        };
        let user = user.map_err(Kind::ResponseRefused)?;
        if user.username.is_some() {
            return Ok(user);
        }
        let userinfo = match self.userinfo(access_token).await {
            Ok(userinfo) => userinfo,
            // All that it has is shown only: the user is known without it.
            Err(error) => {
                log::write(Event::SignIn, Outcome::Partial, error.row().reason.into());
                return Ok(user);
            }
        };
        // OpenID Connect Core 5.3.2: the claims of another user must not be used.
        require(userinfo.sub == user.sub, Reason::UserinfoSubject).map_err(Kind::ResponseRefused)?;
        Ok(userinfo.or(user))
    }

    async fn userinfo(&self, access_token: &str) -> Result<Identity> {
        let request = self.http.get(format!("{}/v2/oauth2/userinfo", self.issuer)).bearer_auth(access_token);
        let response = http::send(request).await?;
        let user = id_token::identity(response.body()).filter(|_| response.status().is_success());
        user.ok_or_else(|| Kind::ResponseRefused(Reason::UserinfoUnreadable).into())
    }

    /// A request about a token, with the secret of this client.
    fn about_token(&self, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/v2/oauth2/token/{path}", self.issuer)).form(form);
        request.basic_auth(self.oauth.client_id().as_str(), Some(self.client_secret.expose()))
    }

    /// Sends a token request that `oauth2` has made, and notes every token in the response: also of one that is refused,
    /// none must stay alive.
    async fn send(&self, request: oauth2::HttpRequest, received: &Mutex<Vec<Secret>>) -> Result<oauth2::HttpResponse> {
        let request = reqwest::Request::try_from(request).map_err(|_| Kind::Internal(Reason::RequestNotBuilt))?;
        let mut body = Vec::new();
        let head = http::receive(reqwest::RequestBuilder::from_parts(self.http.clone(), request), &mut body).await;
        *received.lock().unwrap_or_else(PoisonError::into_inner) = token_response::secrets(&body);
        Ok(oauth2::HttpResponse::from_parts(head?, body))
    }
}

fn redirect_url(redirect_uri: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Kind::Internal(Reason::RedirectUri).into())
}

fn require(condition: bool, reason: Reason) -> Result<(), Reason> {
    if condition { Ok(()) } else { Err(reason) }
}

#[cfg(test)]
mod tests;
