//! The `logout` Lambda function; see [`logout::handle`].

use lambda_http::Error;
use shared::{App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::read_with_globus, logout::handle).await
}
