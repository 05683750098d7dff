//! The `home` Lambda function, for sessions in a DynamoDB table; see [`home::handle`].
//!
//! A package of its own, so that `home` itself links neither the AWS SDK nor TLS.

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::read_with_table, home::handle).await
}
