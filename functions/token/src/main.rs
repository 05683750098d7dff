//! The `token` Lambda function; see [`token::handle`].

use lambda_http::Error;
use shared::{App, serve_result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve_result(App::read, token::handle).await
}
