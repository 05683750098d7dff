//! The `home` Lambda function; see [`home::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::read, home::handle).await
}
