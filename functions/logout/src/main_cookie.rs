//! The `logout` Lambda function for sessions in cookies; see [`logout::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(|env| App::with_globus(App::read_slim(env), env), logout::handle).await
}
