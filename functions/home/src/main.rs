//! The `home` Lambda function; see [`home::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(shared::App::read, home::handle).await
}
