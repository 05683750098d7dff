//! The `token` Lambda function for sessions in cookies; see [`token::handle`].

use lambda_http::Error;
use shared::{App, serve_result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve_result(App::read_slim, token::handle).await
}
