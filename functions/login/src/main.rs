//! The `login` Lambda function; see [`login::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(|env| login::read(App::read(env), env), login::handle).await
}
