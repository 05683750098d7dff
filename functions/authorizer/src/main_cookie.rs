//! The `authorizer` Lambda function for sessions in cookies; see [`authorizer::handle`].

use lambda_http::Error;
use shared::{App, serve_result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve_result(|env| authorizer::read(App::read_slim(env), env), authorizer::handle).await
}
