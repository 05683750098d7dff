//! The `home` Lambda function for sessions in cookies; see [`home::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::read_slim, home::handle).await
}
