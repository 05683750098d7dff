//! The `authorizer` Lambda function; see [`authorizer::handle`].

use lambda_http::Error;
use shared::{App, serve_result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve_result(|env| authorizer::read(App::read(env), env), authorizer::handle).await
}
