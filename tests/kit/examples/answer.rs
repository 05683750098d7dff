//! What API Gateway responds.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Response, StatusCode, response::Builder};
use serde_json::{Value, json};

/// A response. Its body may be of any kind.
#[derive(Debug)]
pub struct Answer(pub Response<Vec<u8>>);

impl Answer {
    /// One of API Gateway's own.
    pub(super) fn refusal(status: StatusCode, message: &str) -> Self {
        let mut response = Response::new(json!({ "message": message }).to_string().into_bytes());
        *response.status_mut() = status;
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        Self(response)
    }

    /// What it responds if the authorizer or the function fails.
    pub(super) fn failure() -> Self {
        Self::refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    /// From the result of a function, if that is one.
    ///
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
    pub(super) fn read(result: &Value) -> Option<Self> {
        if result["statusCode"].is_null() {
            return json_alone(result);
        }
        let status = u16::try_from(result["statusCode"].as_u64()?).ok()?;
        let body = result["body"].as_str().unwrap_or_default();
        let body = if result["isBase64Encoded"] == true { STANDARD.decode(body).ok()? } else { body.into() };
        let headers = result["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| (name.as_str(), value));
        let cookies = result["cookies"].as_array().into_iter().flatten().map(|cookie| ("set-cookie", cookie));
        let response = headers.chain(cookies).fold(Response::builder().status(status), with_header);
        response.body(body).ok().map(Self)
    }
}

/// A result without a status is the body itself.
fn json_alone(result: &Value) -> Option<Answer> {
    let body = result.as_str().map_or_else(|| result.to_string(), ToOwned::to_owned);
    Response::builder().header("content-type", "application/json").body(body.into_bytes()).ok().map(Answer)
}

fn with_header(response: Builder, (name, value): (&str, &Value)) -> Builder {
    // A number is sent as it is written.
    response.header(name, value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
}
