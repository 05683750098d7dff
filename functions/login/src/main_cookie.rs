//! The `login` Lambda function for sessions in cookies; see [`login::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(|env| login::read(App::read_slim(env), env), login::handle).await
}
