//! Authorization codes and tokens: what was issued, for which user, and whether it is still valid.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::{Pkce, random, scopes::Service, session::Session};

/// How long a code can be redeemed, in seconds
/// ([RFC 6749, section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
const CODE_LIFETIME: u64 = 600;

/// What a user agreed to.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) session: Session,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    /// PKCE, S256.
    pub(crate) code_challenge: Option<String>,
    /// Whether refresh tokens were requested.
    pub(crate) offline: bool,
}

/// What a client sends to exchange a code for tokens.
pub(crate) struct Redemption<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code_verifier: Option<&'a str>,
    pub(crate) pkce: Pkce,
}

struct Code {
    grant: Arc<Grant>,
    expires: u64,
    used: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Refresh,
}

/// An access or refresh token. Times are seconds since the epoch.
pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) grant: Arc<Grant>,
    pub(crate) service: Service,
    pub(crate) issued: u64,
    /// `None` for a refresh token, which does not expire.
    pub(crate) expires: Option<u64>,
    kind: Kind,
    revoked: bool,
}

/// All codes and tokens that were ever issued. The tokens are in order.
#[derive(Default)]
pub(crate) struct Grants {
    codes: HashMap<String, Code>,
    tokens: Vec<Token>,
    /// The place of each token among them.
    places: HashMap<String, usize>,
}

/// Seconds since the epoch by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Grants {
    /// Issues a code for a grant.
    pub(crate) fn code(&mut self, grant: Grant, now: u64) -> String {
        let code = random::code();
        let issued = Code { grant: Arc::new(grant), expires: now + CODE_LIFETIME, used: false };
        self.codes.insert(code.clone(), issued);
        code
    }

    /// The grant of the code, if the code may be redeemed. The code is used up in any case. A second attempt means that
    /// the code leaked, and revokes the tokens from the first attempt.
    pub(crate) fn redeem(&mut self, redemption: &Redemption<'_>, now: u64) -> Option<Arc<Grant>> {
        let code = self.codes.get_mut(redemption.code)?;
        let grant = Arc::clone(&code.grant);
        if std::mem::replace(&mut code.used, true) {
            self.revoke_where(|token| Arc::ptr_eq(&token.grant, &grant));
            return None;
        }
        let fits = now < code.expires
            && redemption.redirect_uri == grant.redirect_uri
            && (redemption.pkce == Pkce::Ignored || grant.accepts(redemption.code_verifier));
        fits.then_some(grant)
    }

    /// Issues an access token for a service. It is valid for `lifetime` seconds.
    pub(crate) fn access_token(&mut self, grant: &Arc<Grant>, service: &Service, lifetime: u64, now: u64) -> String {
        self.issue(Kind::Access, grant, service, Some(now + lifetime), now)
    }

    /// Issues a refresh token for a service.
    pub(crate) fn refresh_token(&mut self, grant: &Arc<Grant>, service: &Service, now: u64) -> String {
        self.issue(Kind::Refresh, grant, service, None, now)
    }

    fn issue(&mut self, kind: Kind, grant: &Arc<Grant>, service: &Service, expires: Option<u64>, now: u64) -> String {
        let secret = random::token();
        self.places.insert(secret.clone(), self.tokens.len());
        self.tokens.push(Token {
            secret: secret.clone(),
            grant: Arc::clone(grant),
            service: service.clone(),
            issued: now,
            expires,
            kind,
            revoked: false,
        });
        secret
    }

    /// The token, if it is still valid.
    pub(crate) fn active(&self, secret: &str, now: u64) -> Option<&Token> {
        self.find(secret).filter(|token| !token.revoked && token.expires.is_none_or(|expires| now < expires))
    }

    /// The access token, if it is still valid.
    pub(crate) fn active_access(&self, secret: &str, now: u64) -> Option<&Token> {
        self.active(secret, now).filter(|token| token.kind == Kind::Access)
    }

    /// The refresh token, if it is still valid.
    pub(crate) fn active_refresh(&self, secret: &str, now: u64) -> Option<&Token> {
        self.active(secret, now).filter(|token| token.kind == Kind::Refresh)
    }

    /// Revokes a token. Does nothing if it was never issued.
    pub(crate) fn revoke(&mut self, secret: &str) {
        if let Some(token) = self.places.get(secret).and_then(|place| self.tokens.get_mut(*place)) {
            token.revoked = true;
        }
    }

    /// Revokes everything a user agreed to: tokens, and codes that are not redeemed yet.
    pub(crate) fn revoke_person(&mut self, person: &str) {
        self.revoke_where(|token| token.grant.session.person.id == person);
        self.codes.retain(|_, code| code.grant.session.person.id != person);
    }

    pub(crate) fn is_revoked(&self, secret: &str) -> bool {
        self.find(secret).is_some_and(|token| token.revoked)
    }

    /// The id of the user that the token was issued for.
    pub(crate) fn whose(&self, secret: &str) -> Option<&'static str> {
        self.find(secret).map(|token| token.grant.session.person.id)
    }

    /// Every token ever issued, in order.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.tokens.iter().map(|token| token.secret.clone()).collect()
    }

    fn find(&self, secret: &str) -> Option<&Token> {
        self.places.get(secret).and_then(|place| self.tokens.get(*place))
    }

    fn revoke_where(&mut self, ends: impl Fn(&Token) -> bool) {
        for token in &mut self.tokens {
            token.revoked |= ends(token);
        }
    }
}

impl Grant {
    /// Whether the verifier matches the challenge
    /// ([RFC 7636, section 4.6](https://www.rfc-editor.org/rfc/rfc7636#section-4.6)). One without the other is refused.
    /// Otherwise an attacker could leave PKCE out.
    fn accepts(&self, verifier: Option<&str>) -> bool {
        let challenge = verifier.map(|verifier| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));
        challenge == self.code_challenge
    }
}
