//! The `tasks` Lambda function for sessions in cookies; see [`tasks::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(|env| tasks::Transfer::beside(App::read_slim(env), env), tasks::handle).await
}
