//! The AWS SDK over this program's own HTTP client: one client, one TLS stack, one set of roots.

use aws_sdk_dynamodb::{config::SharedHttpClient, error::ConnectorError};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use lambda_http::http;
use reqwest::Client;

#[derive(Debug)]
struct Connector(Client);

/// The SDK's client, which sends everything through `http`. Its time limits are set for the operations.
pub(super) fn through(http: Client) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(http));
    http_client_fn(move |_, _| connector.clone())
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(send(self.0.clone(), request))
    }
}

async fn send(client: Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // Requests to DynamoDB are in memory; only uploads to other services are streams.
    let request = request.map(|body| body.bytes().unwrap_or_default().to_vec());
    let request = reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
    let response = client.execute(request).await.map_err(failure)?;

    let mut received = http::Response::new(());
    *received.status_mut() = response.status();
    *received.headers_mut() = response.headers().clone();
    let body = response.bytes().await.map_err(failure)?;
    HttpResponse::try_from(received.map(|()| body.into())).map_err(|error| ConnectorError::other(error.into(), None))
}

fn failure(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}
